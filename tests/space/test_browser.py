# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The demo as a visitor uses it, in a real browser. Needs Chromium: see `browser.MISSING`."""

import json
import time
from pathlib import Path

import pytest

from .browser import CHROMIUM, DRIVER, MISSING, Visitor
from .server import SPACE, Server


pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)

TEXT = "oh, great. thanks a lot."
BOX = "#transcript textarea, #transcript input"
# Chromium notes each request that the demo refuses, and Gradio's script the upload that it stops itself.
REFUSALS = ("status of 422", "upload_progress", "Response")


@pytest.fixture(scope="module")
def desktop(server: Server):
    """One window for the tests of this file, empty at the start of each."""
    visitor = Visitor(server.url)
    yield visitor
    visitor.close()


@pytest.fixture
def page(desktop: Visitor):
    """The window; a test passes only if the page asked nothing of other servers and has not complained."""
    desktop.clear()
    # Gradio's video component keeps 32 MB of FFmpeg per clip that it shows, for as long as the page lives. After some
    # ten clips Chromium has no room for another, and the component complains.
    desktop.open()
    yield desktop
    errors = [message for message in desktop.console_errors() if not any(status in message for status in REFUSALS)]
    assert errors == []
    assert desktop.external_requests() == set()


def test_each_example_loads_and_is_answered(page):
    examples = json.loads((SPACE / "examples" / "examples.json").read_text())
    for index, example in enumerate(examples):
        answer = page.answer(lambda index=index: page.click("#examples button.thumbnail-item", index))
        assert page.find(BOX)[0].get_property("value") == example["text"]
        shown = page.wait(lambda: page.find("#clip video[src]"), "the clip")[0]
        assert Path(shown.get_attribute("src")).name == example["file"]
        assert answer["intent"] and "words, picture, sound" in answer["used"]
    assert len(page.find("#anchors img")) > 0
    assert " s · " in page.text("#anchors") and " s · " in page.text("#waveform")
    assert [element.text.lower() for element in page.find("#moves .source")] == [
        *("words alone", "words + picture", "words + sound", "words + picture + sound")
    ]


def test_why_is_hidden_until_there_is_an_answer(page):
    assert not any(element.is_displayed() for element in page.find("#why, #intents"))
    page.answer(lambda: page.click("#examples button.thumbnail-item"))
    assert page.find("#why")[0].is_displayed()
    first = page.driver.execute_script("return document.querySelector('#why .block:not(.section)').id")
    assert first == "moves", "the evidence comes before pictures of attention"
    page.clear()
    page.wait(lambda: not any(element.is_displayed() for element in page.find("#why")), "the page without reasons")


def test_clear_leaves_no_example_selected(page):
    page.answer(lambda: page.click("#examples button.thumbnail-item"))
    page.wait(lambda: page.find("#examples .selected"), "the example's frame")
    page.clear()
    page.wait(lambda: not page.find("#examples .selected"), "the example without its frame")
    assert page.text("#verdict .intent") == ""


def test_upload_edit_mask_and_threshold(page, clip, recognizer):
    page.upload(clip)
    page.wait(lambda: page.find("#clip video[src]"), "the uploaded clip")
    page.type(BOX, TEXT)
    answer = page.answer(lambda: page.click("#run"))
    expected = recognizer.pipeline(str(clip), text=TEXT)
    assert answer["intent"] == expected["label"]
    assert f"{100 * expected['score']:.0f} % probable" in answer["used"]

    page.type(BOX, "no way.")
    edited = page.answer(lambda: page.click("#run"))
    assert edited["bars"] != answer["bars"]

    masked = page.answer(lambda: page.click("#modalities input", 1))
    assert "from words, sound" in masked["used"]
    assert [element.text.lower() for element in page.find("#moves .source")] == ["words alone", "words + sound"]
    assert not page.find("#anchors img")
    restored = page.answer(lambda: page.click("#modalities input", 1))
    assert restored == edited

    page.click("#threshold-box > button")
    slide(page, 0.99)
    page.wait(lambda: page.text("#verdict .badge") == "out of scope", "the verdict at a high threshold")
    assert "below the threshold of 99%" in page.text("#verdict")
    slide(page, 0.0)
    page.wait(lambda: page.text("#verdict .badge") == "in scope", "the verdict at a threshold of 0")


def slide(page: Visitor, value: float) -> None:
    page.type("#threshold input[type=number]", str(value))


def test_own_intents(page, clip):
    page.upload(clip)
    page.wait(lambda: page.find("#clip video[src]"), "the uploaded clip")
    page.type(BOX, TEXT)
    page.type("#own-intents textarea", "Tease: To make fun.\nThank: To be grateful.\nRefuse: To say no.")
    page.click("#compare")
    page.wait(lambda: len(page.find("#own-similarity li")) == 3, "the similarities")
    assert {element.text for element in page.find("#own-similarity b")} == {"Tease", "Thank", "Refuse"}

    page.type("#own-intents textarea", "no colon here")
    page.click("#compare")
    page.wait(lambda: "Line 1" in page.text("#own-intents"), "the complaint")
    assert not page.find("#own-similarity li"), "the result of the intents before"


def test_what_is_missing_for_a_comparison_is_said_beside_its_button(page):
    page.click("#compare")
    page.wait(lambda: "Upload a clip" in page.text("#own-intents"), "what is missing")
    assert "Upload a clip" not in page.text("#transcript")


def test_no_error_covers_what_it_is_about(page, tmp_path, clip):
    for index in range(3):
        page.click("#modalities input", index)
        time.sleep(0.2)
    page.click("#run")
    assert_covers_nothing(page, "#modalities", "[data-testid='block-info']", ".info-text", "label")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:300])
    page.clear()
    page.upload(broken)
    page.wait(lambda: page.find("#clip video[src]"), "the uploaded clip")
    page.type(BOX, TEXT)
    page.click("#run")
    assert_covers_nothing(page, "#clip", "[data-testid='block-label']", "video", "[aria-label='Upload file']")


def assert_covers_nothing(page: Visitor, block: str, *parts: str) -> None:
    """The complaint of a block is inside of the block, and overlaps none of these parts of it."""
    error = page.wait(lambda: page.find(f"{block} .validation-error"), "the complaint")[0].rect
    around = page.find(block)[0].rect
    assert around["y"] <= error["y"] and error["y"] + error["height"] <= around["y"] + around["height"]
    for part in parts:
        elements = page.find(f"{block} {part}")
        assert elements, part
        for element in elements:
            top, bottom = element.rect["y"], element.rect["y"] + element.rect["height"]
            assert error["y"] >= bottom or error["y"] + error["height"] <= top, part


def test_files_can_be_given_to_the_clip_and_nowhere_else(page):
    outside = [
        box
        for box in page.find("input[type=file]")
        if not page.driver.execute_script("return arguments[0].closest('#clip')", box)
    ]
    assert page.find("#clip input[type=file]") and not outside
    assert "Drop Media" not in page.text("body")


def test_verdict_and_button_are_on_the_first_screen(page):
    page.answer(lambda: page.click("#examples button.thumbnail-item"))
    for part in ("#verdict", "#run"):
        box = page.find(part)[0].rect
        assert box["y"] + box["height"] <= 900, part


def test_a_clip_without_its_words_is_heard(page, clip):
    page.upload(clip)
    page.wait(lambda: page.find("#clip video[src]"), "the uploaded clip")
    page.answer(lambda: page.click("#run"))
    assert "Whisper tiny.en heard" in page.text("#verdict")


def test_words_of_the_last_clip_do_not_stay_beside_a_new_one(page, clip):
    page.answer(lambda: page.click("#examples button.thumbnail-item"))
    assert page.find(BOX)[0].get_property("value")
    page.click("#clip [aria-label='Clear']")
    page.wait(lambda: not page.find(BOX)[0].get_property("value"), "the empty transcript")
    page.type(BOX, TEXT)
    page.upload(clip)
    page.wait(lambda: page.find("#clip video[src]"), "the uploaded clip")
    time.sleep(page.SETTLING)
    assert page.find(BOX)[0].get_property("value") == TEXT, "words that were typed for the new clip"


def test_a_recording_of_camera_and_microphone(page):
    page.click("#clip [aria-label='Capture from camera']")
    page.click("#clip [title='grant webcam access'] button")
    page.click("#clip [aria-label='start recording']")
    time.sleep(2)
    page.click("#clip .capture-button")
    page.wait(lambda: page.find("#clip video[src*='/file=']"), "the recording")
    page.type(BOX, TEXT)
    answer = page.answer(lambda: page.click("#run"))
    assert "from words, picture, sound" in answer["used"], "a recording has its sound"


def test_a_broken_clip_and_missing_words_are_said_where_they_belong(page, tmp_path, clip):
    page.click("#run")
    page.wait(lambda: "Upload a clip, or type what is said." in page.text("#transcript"), "what is missing")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:300])
    page.upload(broken)
    page.wait(lambda: page.find("#clip video[src]"), "the uploaded clip")
    page.type(BOX, TEXT)
    page.click("#run")
    page.wait(lambda: "could not be read" in page.text("#clip"), "what is wrong with the clip")


def test_a_clip_that_is_too_large_is_refused_at_once(page, tmp_path):
    large = tmp_path / "large.mp4"
    large.write_bytes(bytes(26 * 2**20))
    page.upload(large)
    page.wait(lambda: "exceed" in page.text("body").lower() or "too large" in page.text("body"), "the refusal")
    assert not page.find("#clip video[src]")


@pytest.mark.slow
def test_two_visitors_get_their_own_answers(server, page, recognizer, clip):
    other = Visitor(server.url)
    try:
        texts = {page: "no way.", other: "great, thanks."}
        for visitor, text in texts.items():
            visitor.upload(clip)
            visitor.wait(lambda visitor=visitor: visitor.find("#clip video[src]"), "the uploaded clip")
            visitor.type(BOX, text)
        for visitor in texts:
            visitor.click("#run")
        for visitor, text in texts.items():
            expected = recognizer.pipeline(str(clip), text=text)
            visitor.wait(lambda visitor=visitor: visitor.text("#verdict .intent"), "the answer")
            visitor.wait(lambda visitor=visitor: visitor.text("#similarity li"), "the explanation")
            assert visitor.text("#verdict .intent") == expected["label"]
            assert f"{100 * expected['score']:.0f} % probable" in visitor.text("#verdict")
        assert other.console_errors() == []
    finally:
        other.close()


@pytest.mark.parametrize("theme", [pytest.param("light", marks=pytest.mark.slow), "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(server, theme):
    phone = Visitor(server.url, 390, 844, theme=theme, phone=True)
    try:
        phone.answer(lambda: phone.click("#examples button.thumbnail-item"))
        widths = "return [document.documentElement.scrollWidth, window.innerWidth]"
        assert phone.driver.execute_script(widths) == [390, 390]
        for name in ("clip", "transcript", "verdict", "intents", "anchors", "waveform", "similarity", "own-intents"):
            box = phone.find(f"#{name}")[0].rect
            assert box["x"] >= 0 and box["x"] + box["width"] <= 390, name
        assert contrast(phone, "#verdict .hint") > 3
        assert contrast(phone, "#verdict .intent") > 7
        assert contrast(phone, "#moves .source") > 4.5
        assert contrast(phone, "#anchors figcaption") > 4.5
        assert phone.console_errors() == []
    finally:
        phone.close()


def contrast(visitor: Visitor, selector: str) -> float:
    """WCAG contrast of an element's text to what lies behind it."""
    script = """
        const colour = text => text.match(/[\\d.]+/g).map(Number);
        let element = document.querySelector(arguments[0]);
        const front = colour(getComputedStyle(element).color);
        let back = [0, 0, 0, 0];  // what the layers so far show, and how opaque they are together
        while (back[3] < 0.999) {
            const [red, green, blue, alpha = 1] = colour(getComputedStyle(element).backgroundColor);
            const share = alpha * (1 - back[3]);
            back = [back[0] + share * red, back[1] + share * green, back[2] + share * blue, back[3] + share];
            element = element.parentElement;
        }
        return [front.slice(0, 3), back.slice(0, 3)];
    """
    luminances = []
    for colour in visitor.driver.execute_script(script, selector):
        linear = [c / 255 / 12.92 if c / 255 <= 0.03928 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        luminances.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    low, high = sorted(luminances)
    return (high + 0.05) / (low + 0.05)
