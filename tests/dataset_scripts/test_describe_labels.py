# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Descriptions from language models: the prompt, the strict reading, and the command against a stand-in endpoint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from dataset_scripts.describing.chat_models import ChatError, LocalChatModel
from dataset_scripts.describing.command import DescriptionError, main
from dataset_scripts.describing.prompt import PROMPTS, AnswerError, normalized, parse_descriptions
from dataset_scripts.labels import MINTREC_LABELS

from .chat_server import TOKEN, ChatServer, good_answer


HUB_TOKEN = "hf_of_the_hub_alone"


@pytest.fixture
def chat():
    with ChatServer() as server:
        yield server


def command(output: Path, *arguments: str, labels: str | None = "Greet,Leave,Thank") -> list[str]:
    names = [] if labels is None else ["--labels", labels]
    return [sys.executable, "-m", "dataset_scripts.describe_labels", *names, "--output", str(output), *arguments]


def environment(project: Path, **variables: str) -> dict[str, str]:
    known = {key: value for key, value in os.environ.items() if key not in ("HF_TOKEN", "OPENAI_API_KEY")}
    return {**known, "PYTHONPATH": str(project), "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1", **variables}


@pytest.fixture
def describe(chat, project, tmp_path):
    """Runs the command against the stand-in: exit status and what it printed."""

    def run(*arguments: str, token: str = TOKEN, url: str | None = None, **options) -> tuple[int, str]:
        words = command(
            tmp_path / "out.json", "--model", "parrot", "--base_url", url or chat.url, *arguments, **options
        )
        variables = {"OPENAI_API_KEY": token, "HF_TOKEN": HUB_TOKEN}
        known = environment(project, **variables)
        done = subprocess.run(words, env=known, capture_output=True, text=True, timeout=240)
        printed = done.stdout + done.stderr
        assert TOKEN not in printed and HUB_TOKEN not in printed
        return done.returncode, printed

    return run


def written(tmp_path: Path, name: str = "out.json") -> dict:
    return json.loads((tmp_path / name).read_text(encoding="utf-8"))


def expected(*labels: str, number: int = 3) -> dict[str, list[str]]:
    return {label: [line[3:] for line in good_answer(label, number).splitlines()] for label in labels}


def test_the_labels_of_a_data_set_are_described_with_provenance(chat, describe, tmp_path):
    status, printed = describe("mintrec", "--num_descriptions", "2", "--temperature", "0.5", labels=None)
    assert status == 0, printed
    assert written(tmp_path) == expected(*MINTREC_LABELS, number=2)
    assert list(written(tmp_path)) == chat.asked == list(MINTREC_LABELS)
    assert {body["model"] for body in chat.requests} == {"parrot"}
    assert set(chat.tokens) == {TOKEN}
    record = written(tmp_path, "out.provenance.json")["Thank"]
    assert (record["model"], record["endpoint"], record["prompt"]) == ("parrot", chat.url, "section")
    assert (record["temperature"], record["attempts"]) == (0.5, 1)
    assert record["date"].endswith("+00:00") and "huggingface_hub" in record["versions"]
    assert {file.name for file in tmp_path.iterdir()} == {"out.json", "out.provenance.json"}


def test_a_list_of_labels_may_come_from_notepad(describe, tmp_path):
    (tmp_path / "labels.txt").write_bytes("Greet\r\nDanke schön\r\n".encode("utf-16"))
    status, printed = describe("--labels_file", str(tmp_path / "labels.txt"), labels=None)
    assert status == 0, printed
    assert written(tmp_path) == expected("Greet", "Danke schön")


def test_without_a_token_of_its_own_an_endpoint_is_not_given_the_hubs(chat, describe):
    status, printed = describe(token="")
    assert status == 0, printed
    assert set(chat.tokens) == {None}


def test_credentials_of_a_url_stand_nowhere(chat, describe, tmp_path):
    status, printed = describe(url=chat.url.replace("127", "anna:s3cret@127"), token="")
    assert status == 0, printed
    assert "s3cret" not in printed + json.dumps(written(tmp_path, "out.provenance.json"))
    assert written(tmp_path, "out.provenance.json")["Thank"]["endpoint"] == chat.url


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ((401, {}, f"bad key {TOKEN}"), "does not accept the token (401 bad key <secret>)"),
        ((404, {}, "model parrot does not exist"), "refuses the request for parrot (404 model parrot does not exist)"),
        ((200, {}, "<html>hello</html>"), "something else than a chat completion"),
        ((200, {}, '{"choices": []}'), "something else than a chat completion"),
    ],
    ids=["bad token", "unknown model", "no JSON", "no choice"],
)
def test_an_endpoint_that_will_not_answer_is_told_at_once(chat, describe, tmp_path, reply, message):
    chat.replies = [None, reply]
    status, printed = describe()
    assert status == 1 and message in printed and "Traceback" not in printed
    assert len(chat.requests) == 2
    assert written(tmp_path) == expected("Greet")  # what came before is kept


def test_rate_limits_and_busy_servers_are_waited_for(chat, describe, tmp_path):
    now = {"Retry-After": "0"}
    chat.replies = [(429, now, "slow down"), (503, now, "loading"), None, (502, now, "")]
    status, printed = describe()
    assert status == 0, printed
    assert chat.asked == ["Greet", "Greet", "Greet", "Leave", "Leave", "Thank"]
    assert written(tmp_path) == expected("Greet", "Leave", "Thank")


def test_a_server_that_stays_busy_is_given_up(chat, describe):
    chat.replies = [(503, {"Retry-After": "0"}, "loading")] * 99
    status, printed = describe()
    assert status == 1 and "did not answer in 6 tries" in printed and "503 loading" in printed


def test_a_wrong_answer_goes_back_with_the_reason(chat, describe, tmp_path):
    chat.replies = ["Sure! Here they are:\n1. To say hello to someone.", good_answer("Greet", 2)]
    status, printed = describe()
    assert status == 0, printed
    assert written(tmp_path) == expected("Greet", "Leave", "Thank")
    assert written(tmp_path, "out.provenance.json")["Greet"]["attempts"] == 3
    again = chat.requests[1]["messages"]
    assert [message["role"] for message in again] == ["user", "assistant", "user"]
    assert again[0] == chat.requests[0]["messages"][0] and again[1]["content"].startswith("Sure!")
    assert "'Sure! Here they are:' is not of the form '1. description'" in again[2]["content"]
    assert "2 numbered descriptions instead of 3" in chat.requests[2]["messages"][2]["content"]


def test_a_sentence_of_another_label_is_refused_until_attempts_run_out(chat, describe, tmp_path):
    chat.replies = [None, *[good_answer("Greet", 3).upper()] * 9]
    status, printed = describe()
    assert status == 1
    assert "no usable descriptions of 'Leave' in 4 attempts" in printed and "already one of 'Greet'" in printed
    assert len(chat.requests) == 5 and written(tmp_path) == expected("Greet")


def test_a_kill_in_the_middle_costs_the_label_in_hand_only(chat, project, tmp_path):
    words = command(tmp_path / "out.json", "--model", "parrot", "--base_url", chat.url)
    chat.hold_at = 3
    process = subprocess.Popen(words, env=environment(project), stdout=subprocess.DEVNULL)
    assert chat.reached.wait(timeout=240)
    process.kill()
    process.wait()
    assert written(tmp_path) == expected("Greet", "Leave")
    assert list(written(tmp_path, "out.provenance.json")) == ["Greet", "Leave"]
    first = written(tmp_path, "out.provenance.json")["Greet"]
    chat.hold_at = None
    subprocess.run(words, env=environment(project), check=True, stdout=subprocess.DEVNULL)
    assert chat.asked == ["Greet", "Leave", "Thank", "Thank"]
    assert written(tmp_path) == expected("Greet", "Leave", "Thank")
    assert written(tmp_path, "out.provenance.json")["Greet"] == first


def test_what_a_file_holds_is_kept_unless_it_is_to_be_overwritten(chat, describe, tmp_path):
    mine = {"Greet": ["My own words.", "Those are mine.", "And so is this."], "Joke": ["To be funny at all times."]}
    (tmp_path / "out.json").write_text(json.dumps(mine))
    assert describe()[0] == 0
    assert written(tmp_path) == {"Greet": mine["Greet"], **expected("Leave", "Thank"), "Joke": mine["Joke"]}
    assert chat.asked == ["Leave", "Thank"]
    assert describe("--overwrite")[0] == 0
    assert written(tmp_path) == {**expected("Greet", "Leave", "Thank"), "Joke": mine["Joke"]}


@pytest.mark.parametrize(
    ("content", "labels", "message"),
    [
        ("[1, 2]", "Greet", r"out\.json holds something else"),
        ("{", "Greet", r"out\.json cannot be read"),
        ('{"Greet": ["To say hello to all."]}', "Greet", "1 descriptions of 'Greet', not 3"),
        (None, "Greet,Thank,Greet", "'Greet' is given twice"),
        (None, "Greet,,Thank", "'' cannot be a label"),
    ],
)
def test_bad_input_is_told_before_anything_is_asked(chat, tmp_path, content, labels, message):
    if content is not None:
        (tmp_path / "out.json").write_text(content)
    arguments = ["--labels", labels, "--model", "parrot", "--base_url", chat.url]
    with pytest.raises(DescriptionError, match=message):
        main([*arguments, "--output", str(tmp_path / "out.json")])
    assert chat.requests == []
    assert content is None or (tmp_path / "out.json").read_text() == content


def make_chat_model(folder: Path, template: str | None) -> str:
    """A random Llama of a dozen words."""
    words = ["<unk>", "<eos>", "1.", "2.", "To", "say", "hello", "Noun:", "Greet"]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<eos>")
    fast.chat_template = template
    fast.save_pretrained(folder)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(words), **sizes)).save_pretrained(folder)
    return str(folder)


def test_a_local_model_is_asked_and_its_babble_refused(project, tmp_path):
    model = make_chat_model(tmp_path / "model", "{% for m in messages %}{{ m['content'] }}\n{% endfor %}")
    words = command(tmp_path / "out.json", "--model", model, "--local", "--max_tokens", "12")
    done = subprocess.run(words, env=environment(project, HF_HUB_OFFLINE="1"), capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "gave no usable descriptions of 'Greet' in 4 attempts. Attempt 1: " in done.stderr
    assert not (tmp_path / "out.json").exists()


def test_a_local_model_without_a_chat_template_is_refused(tmp_path):
    with pytest.raises(ChatError, match="no chat template"):
        LocalChatModel(make_chat_model(tmp_path / "model", None))


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
@pytest.mark.parametrize("number", [1, 3, 8])
def test_the_prompt_shows_an_answer_of_the_form_that_is_accepted(prompt, number):
    (message,) = prompt.messages("Thank", number)
    instructions, example, question = message["content"].split("\n\n")
    assert str(number) in instructions and question == "Noun: Thank"
    label, _, answer = example.partition("\n")
    assert label == f"Noun: {prompt.example}"
    assert len(parse_descriptions(answer, prompt.example, number, {})) == number


words = st.text("abcdefghij", min_size=1, max_size=6)
sentences = st.lists(words, min_size=3, max_size=40).map(" ".join)
lists = st.lists(sentences, min_size=1, max_size=8, unique_by=normalized)


def numbered(texts: list[str]) -> list[str]:
    return [f"{place}. {text}" for place, text in enumerate(texts, start=1)]


@given(lists)
def test_a_numbered_list_comes_back_as_it_was_written(texts):
    answer = "<think>1. No.\nHm.</think>\n" + "\n\n".join(numbered(texts)) + "\n"
    assert parse_descriptions(answer, "Thank", len(texts), {"Greet": ["Something else entirely."]}) == texts


@given(lists, st.data())
def test_whatever_is_wrong_with_a_list_is_refused(texts, data):
    place = data.draw(st.integers(0, len(texts) - 1))
    lines = numbered(texts)
    wrong = {
        "one line less": (lines[:place] + lines[place + 1 :], {}),
        "one line twice": ([*lines[: place + 1], *lines[place:]], {}),
        "one sentence twice": (numbered([*texts, texts[place].upper() + "!"]), {}),
        "an empty one": (numbered([*texts[:place], "", *texts[place + 1 :]]), {}),
        "a single word": (numbered([*texts[:place], "word", *texts[place + 1 :]]), {}),
        "a paragraph": (numbered([*texts[:place], "word " * 41, *texts[place + 1 :]]), {}),
        "a remark": ([*lines[:place], "I hope this helps.", *lines[place:]], {}),
        "another label's": (lines, {"Greet": [texts[place].capitalize() + "."]}),
    }
    for name, (answer, others) in wrong.items():
        number = len(texts) + (name == "one sentence twice")
        with pytest.raises(AnswerError):
            parse_descriptions("\n".join(answer), "Thank", number, others)
