"""Downloading models."""

from __future__ import annotations

from pipelines.errors.base import DiptychError


class DownloadOffline(DiptychError):
    what = "{name} was not downloaded, because Diptych is to stay offline."
    why = "{reason}"
    remedy = "Allow the network in the settings, or take that variable away."


class DownloadRefused(DiptychError):
    what = "{url} was not opened."
    why = "{reason}"
    remedy = "Use the https address of a public server."


class DownloadDenied(DiptychError):
    what = "{host} doesn't hand out {name}."
    why = "It answered {status}: the model may be private, or its terms may have to be accepted first."
    remedy = "Accept its terms on its page, and give your access token in HF_TOKEN or in the settings."


class DownloadNotFound(DiptychError):
    what = "{name} is not at {host}."
    why = "It answered {status}."
    remedy = "Check the spelling; a repository is written owner/name."


class DownloadFailed(DiptychError):
    what = "{name} could not be downloaded."
    why = "{reason}"
    remedy = "Try again: what has arrived is kept, and the download goes on from there."


class DownloadDamaged(DiptychError):
    what = "{name} did not arrive as it was announced."
    why = "{reason}"
    remedy = "Try again later, or take it from another place. What arrived was deleted."


class DownloadExists(DiptychError):
    what = "{path} is there already."
    why = "A download never replaces a model."
    remedy = "Use it, or remove it and download again."


class NothingToDownload(DiptychError):
    what = "There is nothing in {name} that Diptych could open."
    why = "{reason}"
    remedy = "Choose a repository with safetensors files, or name one file of it."


class DownloadBusy(DiptychError):
    what = "{name} is being downloaded already."
    why = "{owner} does it."
    remedy = "Wait until it is done, or stop it there."


class KeyringUnusable(DiptychError):
    what = "The token was not kept."
    why = "The keyring of this system can't be used: {reason}"
    remedy = "Set up or unlock the keyring, or give the token in the variable HF_TOKEN."


class TokenUnsound(DiptychError):
    what = "This is no access token."
    why = "A token is one word of plain letters and digits, as “hf_abc123” is one."
    remedy = "Copy it from the page of your account again."
