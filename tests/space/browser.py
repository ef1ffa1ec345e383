# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""A visitor's browser: headless Chromium with a fake camera and microphone, driven through Selenium."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement


CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MISSING = "Chromium is not installed: `apt-get install chromium chromium-driver` brings it and its driver."


class Visitor:
    """
    One browser window on the demo.

    Args:
        url: the demo's address.
        width, height: of the window, in pixels.
        theme: `light` or `dark`.
        phone: whether it is a touch screen of that size.

    Attributes:
        seconds_to_load: from asking for the page until it can be used.
    """

    SETTLING = 0.3  # seconds that the page may take to draw what it has received

    def __init__(self, url: str, width: int = 1200, height: int = 1000, theme: str = "light", phone: bool = False):
        options = webdriver.ChromeOptions()
        assert CHROMIUM is not None  # the tests are skipped without it
        options.binary_location = CHROMIUM
        for argument in (
            "--headless=new",
            "--no-sandbox",  # which containers do not offer
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--mute-audio",
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--window-size={width},{height}",
        ):
            options.add_argument(argument)
        if phone:
            metrics = {"width": width, "height": height, "pixelRatio": 1.0, "touch": True}
            options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.url, self.theme = url, theme
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
        started = time.monotonic()
        self.open()
        self.seconds_to_load = time.monotonic() - started

    def open(self) -> None:
        """Opens the page anew, which gives up what the last one kept in the browser's memory."""
        self.driver.get(f"{self.url}?__theme={self.theme}")
        self.wait(lambda: self.find("#run"), "the page")

    def close(self) -> None:
        """Ends the browser."""
        self.driver.quit()

    def find(self, selector: str) -> list[WebElement]:
        """Elements of a CSS selector, now."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def wait(self, condition: Callable[[], Any], what: str, seconds: float = 30) -> Any:
        """The first true value of `condition`. Raises AssertionError that names `what` after `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if value := condition():
                    return value
            except StaleElementReferenceException:
                pass
            time.sleep(0.05)
        raise AssertionError(f"{what} did not come within {seconds} s; the page says: {self.text('body')[:1500]}")

    def text(self, selector: str) -> str:
        """What an element says; empty without one."""
        return " ".join(element.text for element in self.find(selector)).strip()

    def click(self, selector: str, index: int = 0) -> None:
        """A click, wherever the element stands on the page."""
        element = self.wait(lambda: self.find(selector)[index:], selector)[0]
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'}); arguments[0].click()", element)

    def type(self, selector: str, text: str) -> None:
        """Replaces what stands in a text box."""
        box = self.wait(lambda: self.find(selector), selector)[0]
        box.send_keys(Keys.CONTROL, "a")
        box.send_keys(text)
        box.send_keys(Keys.TAB)

    def upload(self, file: Path) -> None:
        """Gives a file to the clip's input, as choosing it would."""
        self.wait(lambda: self.find("#clip input[type=file]"), "the upload")[0].send_keys(str(file))

    def clear(self) -> None:
        """Presses the button and waits until the page is as at first."""
        self.click("#clip [aria-label='Upload file']")
        self.driver.execute_script("performance.clearResourceTimings()")
        self.click("#clear")
        cleared = "return performance.getEntriesByType('resource').some(entry => entry.name.includes('/run/'))"
        self.wait(lambda: self.driver.execute_script(cleared), "the answer to Clear")
        self.wait(lambda: not self.find("#verdict .verdict, #clip video[src]"), "the empty page")

    def answer(self, action: Callable[[], Any]) -> dict[str, Any]:
        """Does `action`, waits until an answer is drawn, and returns what the page shows of it."""
        self.driver.execute_script("performance.clearResourceTimings()")
        action()
        # The same answer twice changes nothing on the page: what tells is the drawing's request after the model's.
        drawn = """
            const ends = name => performance.getEntriesByType("resource")
                .filter(entry => entry.name.includes(name)).map(entry => entry.responseEnd);
            return Math.max(...ends("/run/")) > Math.max(...ends("/queue/join")) && ends("/queue/join").length > 0;
        """
        self.wait(lambda: self.driver.execute_script(drawn), "the answer")
        self.wait(lambda: self.find("#verdict .verdict"), "the verdict")
        time.sleep(self.SETTLING)
        return {
            "intent": self.text("#verdict .intent"),
            "badge": self.text("#verdict .badge"),
            "used": self.text("#verdict .hint"),
            "bars": self.text("#intents").replace("\n", " "),
            "similarity": self.text("#similarity"),
        }

    def external_requests(self) -> set[str]:
        """Addresses outside of the demo that the page has asked for since the last call."""
        asked = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked.add(message["params"]["request"]["url"])
        return {url for url in asked if not url.startswith((self.url, "data:", "blob:", "chrome"))}

    def console_errors(self) -> list[str]:
        """What the page complained of since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
