# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Chat models: an endpoint over HTTP, or a transformers model on this machine."""

from __future__ import annotations

import time
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import huggingface_hub
from huggingface_hub import InferenceClient, get_token
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from ..errors import UserError


Messages = list[dict[str, str]]

# Rate limits and servers that are overloaded, restarting or still loading the model.
_PASSING_STATUSES = (408, 429, 500, 502, 503, 504)
_MAX_TRIES = 6
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
_TIMEOUT = 300.0
_LOCAL_MAX_TOKENS = 512


class ChatError(UserError):
    """A chat model that cannot be loaded or reached, or does not answer. The message contains no token."""


class ChatModel(Protocol):
    """A model that continues a conversation.

    Attributes:
        record: Model, endpoint (without credentials), settings and library versions, for the provenance.
    """

    record: dict[str, Any]

    def answer(self, messages: Messages) -> str:
        """Return the model's next turn.

        Raises:
            ChatError: The model does not answer.
        """
        ...


class EndpointChatModel:
    """A chat model behind Hugging Face's Inference Providers, or an OpenAI-compatible endpoint.

    Args:
        model: Id of the model.
        base_url: Address of the endpoint, to which `/chat/completions` is appended; None for Inference Providers.
        token: Bearer token. Without it Inference Providers get the token of `hf auth login` or HF_TOKEN, and another
            endpoint gets none: only the Hub may see a Hub token.
        temperature: Temperature of the sampling; None leaves it to the endpoint.
        max_tokens: Longest answer in tokens; None leaves it to the endpoint.

    Raises:
        ChatError: Inference Providers are chosen and there is no token.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        token: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ):
        if base_url is None and token is None:
            token = get_token()
            if token is None:
                raise ChatError(
                    "Inference Providers need a token. Log in with `hf auth login` or set HF_TOKEN. For your own "
                    "endpoint give --base_url, for a model on this machine --local."
                )
        self.model = model
        self._options: dict[str, Any] = {"temperature": temperature, "max_tokens": max_tokens}
        # The token in plain and as a library quotes it in a header, and the parts of a URL that may hold credentials.
        parts = urlsplit(base_url or "")
        secrets = (token or "", repr(token or "")[1:-1], parts.netloc.rpartition("@")[0], parts.password, parts.query)
        self._secrets = [secret for secret in secrets if secret]
        self.endpoint = "Hugging Face Inference Providers" if base_url is None else _public_url(base_url)
        # The client would fill in the Hub's token; a header of None removes it.
        headers: dict[str, Any] = {"authorization": None} if token is None else {}
        self._client = InferenceClient(base_url=base_url, token=token, timeout=_TIMEOUT, headers=headers)
        self.record = {
            "model": model,
            "endpoint": self.endpoint,
            **self._options,
            "versions": {"huggingface_hub": huggingface_hub.__version__},
        }

    def answer(self, messages: Messages) -> str:
        """Return the model's next turn.

        After a rate limit, an overloaded server or a failed connection it waits and tries again, up to `_MAX_TRIES`
        times in all.

        Raises:
            ChatError: The endpoint refuses the token or the request, stays unavailable, or answers with something else
                than a chat completion.
        """
        wait = _FIRST_WAIT
        for number in range(1, _MAX_TRIES + 1):
            try:
                completion = self._client.chat_completion(messages, model=self.model, **self._options)
                content = completion.choices[0].message.content
            except HfHubHTTPError as error:
                status = error.response.status_code
                reason = self._without_secrets(f"{status} {error.response.text.strip()[:300]}")
                if status in (401, 403):
                    raise ChatError(
                        f"{self.endpoint} does not accept the token ({reason}). Set the environment variable that "
                        "holds it to a valid one."
                    ) from None
                if status not in _PASSING_STATUSES:
                    raise ChatError(f"{self.endpoint} refuses the request for {self.model} ({reason}).") from None
                wait = _retry_wait(error.response.headers.get("retry-after")) or wait
            except OfflineModeIsEnabled:
                raise ChatError("HF_HUB_OFFLINE switches requests off. Unset it to reach an endpoint.") from None
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                raise ChatError(
                    f"{self.endpoint} gave something else than a chat completion "
                    f"({self._without_secrets(f'{type(error).__name__}: {error}')}). Is base_url the one that "
                    "/chat/completions follows?"
                ) from None
            # Any error of the HTTP library for connections and timeouts; this project does not depend on which one.
            except Exception as error:
                reason = self._without_secrets(f"{type(error).__name__}: {error}")
            else:
                return content or ""
            if number < _MAX_TRIES:
                time.sleep(min(wait, _LONGEST_WAIT))
                wait *= 2
        raise ChatError(
            f"{self.endpoint} did not answer in {_MAX_TRIES} tries. The last one: {reason}. Try again later."
        )

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "<secret>")
        return text


class LocalChatModel:
    """A transformers model on this machine.

    Args:
        model: Hub id or folder of a causal language model whose tokenizer has a chat template.
        temperature: Temperature of the sampling; None takes the model's own generation settings.
        max_tokens: Longest answer in tokens.

    Raises:
        ChatError: The model cannot be loaded or has no chat template.
    """

    def __init__(self, model: str, *, temperature: float | None = None, max_tokens: int | None = None):
        # An endpoint needs neither.
        import torch
        import transformers

        try:
            self._pipeline = transformers.pipeline("text-generation", model=model)
        except (OSError, ValueError, KeyError) as error:
            raise ChatError(
                f"The local model {model!r} could not be loaded: {error}. Give the id or folder of a chat model."
            ) from error
        if self._pipeline.tokenizer is None or self._pipeline.tokenizer.chat_template is None:
            raise ChatError(f"The local model {model!r} has no chat template. Give a model that was tuned for chat.")
        options: dict[str, Any] = {"max_new_tokens": max_tokens or _LOCAL_MAX_TOKENS}
        if temperature is not None:
            options |= {"do_sample": temperature > 0} | ({"temperature": temperature} if temperature > 0 else {})
        self._options = options
        self.record = {
            "model": model,
            "endpoint": "local",
            "temperature": temperature,
            "max_tokens": options["max_new_tokens"],
            "versions": {"transformers": transformers.__version__, "torch": torch.__version__},
        }

    def answer(self, messages: Messages) -> str:
        """Return the model's next turn."""
        (output,) = self._pipeline(messages, return_full_text=False, **self._options)
        return str(output["generated_text"])


def _public_url(url: str) -> str:
    """The URL without user, password, query and fragment, which may hold credentials."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _retry_wait(header: str | None) -> float | None:
    """Seconds of a `Retry-After` header, None where it is absent or a date."""
    try:
        return max(float(header), 0.01) if header is not None else None
    except ValueError:
        return None
