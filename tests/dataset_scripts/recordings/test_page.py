# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The page of an analysis in a browser: it seeks, filters, runs no strange script and asks no other host."""

import json
import re
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from dataset_scripts.recordings.outputs import write_outputs
from dataset_scripts.recordings.page import page_of
from tests.modeling_amess.clips import write_clip
from tests.space.browser import CHROMIUM, DRIVER, MISSING


EVIL = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">&amp;"
INTENTS = ("Complain", "Praise", "Joke", "Thank")


def rows() -> list[dict]:
    made = [
        {
            "start": 2.0 * number,
            "end": 2.0 * number + 1.5,
            "speaker": ("Ann", "Bob")[number % 2],
            "text": f"utterance number {number}",
            "label": INTENTS[number % 4],
            "score": 0.9 - number / 40,
            "out_of_scope": number == 5,
        }
        for number in range(12)
    ]
    made[3] |= {"text": EVIL, "speaker": EVIL}
    failed = {name: made[7][name] for name in ("start", "end", "speaker", "text")}
    made[7] = failed | {"error": "The utterance lasts too long."}
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "a folder, 100 %"
    folder.mkdir()
    # VP8: a Chromium of Debian plays it wherever it runs.
    recording = write_clip(folder.parent / "my recording #1.webm", seconds=26.0, frame_rate=5)
    write_outputs(folder, rows(), recording)
    return folder


def test_words_of_strangers_are_data_and_nothing_else():
    page = page_of(rows(), f"{EVIL}.mp4", "../x.mp4")
    assert EVIL not in page and "<img" not in page
    assert len(re.findall("<script", page)) == 2 and "://" not in page
    data = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1]
    assert json.loads(data)[3]["text"] == EVIL
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert "default-src 'none'" in policy and "unsafe" not in policy


def open_page(folder: Path, width: int = 1200, height: int = 900, dark: bool = False) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"]
    for argument in (*arguments, "--autoplay-policy=no-user-gesture-required", f"--window-size={width},{height}"):
        options.add_argument(argument)
    if width < 600:
        metrics = {"width": width, "height": height, "pixelRatio": 1.0, "touch": True}
        options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    driver.get((folder / "index.html").as_uri())
    return driver


@pytest.fixture(scope="module")
def driver(folder):
    if CHROMIUM is None or DRIVER is None:
        pytest.skip(MISSING)
    driver = open_page(folder)
    yield driver
    driver.quit()


def visible(driver: webdriver.Chrome) -> list[str]:
    return driver.execute_script(
        "return [...document.querySelectorAll('#rows tr')].filter(r => !r.hidden).map(r => r.innerText)"
    )


@pytest.mark.slow
def test_a_click_on_a_row_seeks_and_so_does_the_keyboard(driver):
    def time() -> float:
        return driver.execute_script("const p = document.getElementById('player'); p.pause(); return p.currentTime")

    WebDriverWait(driver, 60).until(lambda _: driver.execute_script("return player.readyState") >= 1)
    lines = driver.find_elements(By.CSS_SELECTOR, "#rows tr")
    assert len(lines) == 12
    lines[4].click()
    assert 8.0 <= time() < 9.5
    WebDriverWait(driver, 60).until(lambda _: "playing" in lines[4].get_attribute("class"))
    assert "utterance number 4" in driver.find_element(By.ID, "now").text
    button = lines[4].find_element(By.TAG_NAME, "button")
    button.send_keys(Keys.ARROW_DOWN)
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert 10.0 <= time() < 11.5
    driver.execute_script("document.querySelectorAll('#timeline i')[9].click()")
    assert 18.0 <= time() < 19.5


@pytest.mark.slow
def test_search_and_filters_narrow_the_table(driver):
    words = driver.find_element(By.ID, "words")
    words.send_keys("number 4")
    assert len(visible(driver)) == 1 and "1 of 12" in driver.find_element(By.ID, "count").text
    words.clear()
    words.send_keys("ann")
    assert len(visible(driver)) == 6
    driver.execute_script("words.value = ''; intent.value = 'out of scope'; intent.dispatchEvent(new Event('input'))")
    [line] = visible(driver)
    assert "number 5" in line
    driver.execute_script("intent.value = ''; intent.dispatchEvent(new Event('input'))")


@pytest.mark.slow
def test_nothing_strange_runs_and_nothing_is_asked_of_others(driver):
    assert "owned" not in driver.title
    assert EVIL in driver.execute_script("return document.querySelectorAll('#rows tr')[3].textContent")
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
    addresses = driver.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert all(address.startswith("file:") for address in addresses)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (390, False)])
def test_the_page_fits_its_window(folder, width, dark, tmp_path):
    if CHROMIUM is None or DRIVER is None:
        pytest.skip(MISSING)
    driver = open_page(folder, width, 844, dark)
    try:
        WebDriverWait(driver, 60).until(lambda _: driver.execute_script("return player.readyState") >= 1)
        inner = driver.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert inner[0] <= inner[1]
        driver.save_screenshot(str(tmp_path / f"page-{width}-{'dark' if dark else 'light'}.png"))
    finally:
        driver.quit()
