"""The page in a real browser: its script runs, tokens open, nothing is wider than a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .browser import NAMES, Browser, find_browser

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason=f"no browser on this machine: none of {', '.join(NAMES)}")
Get = Callable[[str], Path]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert PROGRAM
    opened = Browser(PROGRAM, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


PANEL = "document.getElementById('panel')"
ROWS = f"[...{PANEL}.querySelectorAll('.bars tr')].map(row => row.innerText.split(/\\s+/).filter(Boolean))"


def test_a_click_on_a_token_opens_its_panel(browser: Browser, page_of: Get) -> None:
    browser.open(page_of("full"), 1400)
    assert browser.value("document.documentElement.classList.contains('script')")
    browser.value("document.querySelector('#prompts article .t').click()")
    assert browser.value(f"{PANEL}.classList.contains('open')")
    rows = browser.value(ROWS)
    assert rows[0] == ["token", "truth", "forecast"]
    assert len(rows) >= 10
    assert rows[-1][:2] == ["all", "others"]
    assert "nats off" in browser.value(f"{PANEL}.innerText")
    assert browser.value("document.querySelectorAll('#prompts article:not([hidden])').length") == 25
    assert browser.complaints == []


def test_the_keyboard_moves_opens_and_closes(browser: Browser, page_of: Get) -> None:
    browser.open(page_of("full"), 1400)
    press = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{key: '{}', bubbles: true}}))"
    browser.value("document.querySelector('#prompts article .t').focus()")
    browser.value(press.format("ArrowRight"))
    assert browser.value("document.activeElement === document.querySelectorAll('#prompts article .t')[1]")
    browser.value(press.format("Enter"))
    assert browser.value("document.activeElement.id") == "panel"
    browser.value(press.format("Escape"))
    assert browser.value("document.activeElement === document.querySelectorAll('#prompts article .t')[1]")
    assert not browser.value(f"{PANEL}.classList.contains('open')")
    assert browser.complaints == []


def test_another_forecast_and_a_slice(browser: Browser, page_of: Get) -> None:
    browser.open(page_of("full"), 1400)
    losses = "[...document.querySelectorAll('article:not([hidden]) .mean')].map(e => Number(e.textContent))"
    before = browser.value(losses)
    change = "(e => {{ e.selectedIndex = {}; e.dispatchEvent(new Event('change')); }})(document.getElementById('{}'))"
    browser.value(change.format(7, "heat-forecast"))
    after = browser.value(losses)
    assert after == sorted(after, reverse=True)
    assert after[0] > before[0]
    browser.value(change.format(1, "heat-slice"))
    shown = browser.value("[...document.querySelectorAll('article:not([hidden]) h3 .tag')].map(e => e.textContent)")
    assert set(shown) == {browser.value("document.getElementById('heat-slice').value")}
    assert browser.complaints == []


def test_a_prompt_whose_tokens_the_run_does_not_keep(browser: Browser, page_of: Get) -> None:
    browser.open(page_of("full"), 1400)
    browser.value("[...document.querySelectorAll('#prompts article .t')].at(-1).click()")
    assert "worst prompts only" in browser.value(f"{PANEL}.innerText")
    assert browser.complaints == []


def test_hostile_text_runs_nothing(browser: Browser, page_of: Get) -> None:
    browser.open(page_of("weird"), 1400)
    browser.value("document.querySelectorAll('.t').forEach(token => token.click())")
    assert browser.value("window.hacked === undefined")
    assert browser.value("document.querySelectorAll('img').length") == 0
    assert browser.complaints == []


@pytest.mark.parametrize("variant", ["full", "weird", "top-k truth", "one prompt"])
@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_never_scrolls_sideways(browser: Browser, page_of: Get, variant: str, dark: bool) -> None:
    browser.open(page_of(variant), 400, dark)
    assert browser.value("document.documentElement.scrollWidth") == 400
    browser.value("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    browser.value("document.querySelector('#prompts article .t').click()")
    assert browser.value("document.documentElement.scrollWidth") == 400
    assert browser.value(f"{PANEL}.getBoundingClientRect().bottom <= innerHeight + 1")
    assert browser.complaints == []


CONTRAST = """
(() => {
  const channel = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const found = rgb(getComputedStyle(e).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('.legend span, .heat td, .chip, .lead, .tag, dt, figcaption, summary, .t')]
    .map((e) => {
      const pair = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((a, b) => b - a);
      return [(pair[0] + 0.05) / (pair[1] + 0.05), e.className + ' ' + e.textContent.slice(0, 30)];
    })
    .filter(([ratio]) => ratio < 4.5);
})()
"""


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_what_is_behind_it(browser: Browser, page_of: Get, dark: bool) -> None:
    """WCAG 2.2 level AA: a contrast of at least 4.5 to 1."""
    browser.open(page_of("full"), 1400, dark)
    assert browser.value(CONTRAST) == []


def test_the_button_turns_light_to_dark_and_back(browser: Browser, page_of: Get) -> None:
    browser.open(page_of("full"), 1400)
    colour = "getComputedStyle(document.body).backgroundColor"
    light = browser.value(colour)
    browser.value("document.getElementById('theme').click()")
    dark = browser.value(colour)
    browser.value("document.getElementById('theme').click()")
    assert dark != light == browser.value(colour)
