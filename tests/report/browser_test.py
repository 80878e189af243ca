#!/usr/bin/python3
"""Opens a report in headless Chromium and uses it as a reader would: by mouse and by
keyboard, at three widths, light and dark.

  browser_test.py MADE_UP_REPORT       makes the made-up report and drives it
  browser_test.py --screenshots FOLDER REPORT.html
                                       pictures of a report at all widths, to be looked at

Without Chromium or Selenium it says so and ends with 77, which ctest reads as skipped.
"""

import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77
WIDTHS = (1400, 800, 390)

try:
    from selenium import webdriver
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    print("skipped: needs python3-selenium and chromium-driver")
    sys.exit(SKIPPED)


def open_browser():
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu",
                     "--disable-dev-shm-usage", "--disable-background-networking"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    try:
        return webdriver.Chrome(options=options)
    except Exception as error:  # no browser is no failure of the report
        print("skipped: no Chromium:", str(error).splitlines()[0])
        sys.exit(SKIPPED)


def set_window(browser, width, dark):
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
        {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})


def check_layout(browser, width):
    overflow = browser.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"at {width} px the page is {overflow} px too wide"
    # Blocks of the page follow one another without overlap.
    overlaps = browser.execute_script("""
        const blocks = Array.from(document.querySelector("main").children)
            .filter((b) => b.getClientRects().length);
        const bad = [];
        for (let i = 1; i < blocks.length; ++i) {
          const above = blocks[i - 1].getBoundingClientRect().bottom;
          if (blocks[i].getBoundingClientRect().top < above - 1) bad.push(blocks[i].outerHTML.slice(0, 80));
        }
        return bad;""")
    assert not overlaps, f"at {width} px these overlap what is above: {overlaps}"


def column(browser, table, index):
    return browser.execute_script(
        "return Array.from(arguments[0].tBodies[0].rows).filter((r) => !r.hidden)"
        ".map((r) => r.cells[arguments[1]].textContent)", table, index)


def check_tables(browser):
    for details in browser.find_elements(By.TAG_NAME, "details"):
        browser.execute_script("arguments[0].open = true", details)
    table = browser.find_element(By.CSS_SELECTOR, "table[aria-label=Sizes]")
    headings = table.find_elements(By.CSS_SELECTOR, "thead button")
    assert [h.text for h in headings] == ["layer", "size", "R\u00b2"], headings
    before = column(browser, table, 1)
    headings[1].click()
    headings[1].click()
    assert column(browser, table, 1) == before[::-1], "the mouse does not sort downwards"
    assert before == sorted(before, key=int), "sizes are numbers, not text"
    # By keyboard: the third heading, then space.
    browser.execute_script("arguments[0].focus()", headings[2])
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    values = column(browser, table, 2)
    numbers = [float(v.split()[0]) for v in values[:-1]]
    assert numbers == sorted(numbers) and values[-1] == "no value", values
    assert headings[2].find_element(By.XPATH, "..").get_attribute("aria-sort") == "ascending"
    browser.switch_to.active_element.send_keys(Keys.SPACE)
    values = column(browser, table, 2)
    assert values[-1] == "no value" and float(values[0].split()[0]) == max(numbers), values

    field = browser.find_element(By.CSS_SELECTOR, "input[type=search]")
    field.send_keys("conv2")
    assert column(browser, table, 0) == ["conv2", "conv2"], column(browser, table, 0)
    status = browser.find_element(By.CSS_SELECTOR, ".filter [role=status]")
    assert status.text == "2 of 8 rows", status.text
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(Keys.DELETE)
    assert len(column(browser, table, 0)) == 8, "an empty filter hides rows"


def check_enlarging(browser):
    button = browser.find_element(By.CSS_SELECTOR, "button.enlarge")
    small = browser.find_element(By.CSS_SELECTOR, "figure .sheet svg").size["width"]
    browser.execute_script("arguments[0].focus()", button)
    button.send_keys(Keys.ENTER)
    large = browser.find_element(By.CSS_SELECTOR, "dialog[open] .sheet svg").size["width"]
    assert large > small, f"enlarged from {small} to {large} px"
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not browser.find_elements(By.TAG_NAME, "dialog"), "Escape leaves the dialog"
    assert browser.find_element(By.CSS_SELECTOR, "figure .sheet svg").size["width"] == small
    assert browser.switch_to.active_element == button, "the focus is lost"


def check_silence(browser):
    messages = [entry["message"] for entry in browser.get_log("browser")]
    assert not messages, f"the console says {messages}"
    requests = [entry["message"] for entry in browser.get_log("performance")
                if '"Network.requestWillBeSent"' in entry["message"]
                and '"url":"file:' not in entry["message"]
                and '"url":"data:' not in entry["message"]]
    assert not requests, f"the page asked for {requests}"


def drive(path):
    browser = open_browser()
    try:
        for dark in (False, True):
            for width in WIDTHS:
                set_window(browser, width, dark)
                browser.get(path.resolve().as_uri())
                check_layout(browser, width)
        set_window(browser, 1000, False)
        browser.get(path.resolve().as_uri())
        check_tables(browser)
        check_enlarging(browser)
        check_silence(browser)
    finally:
        browser.quit()


def screenshots(folder, path):
    folder.mkdir(parents=True, exist_ok=True)
    browser = open_browser()
    try:
        for dark in (False, True):
            for width in WIDTHS:
                set_window(browser, width, dark)
                browser.get(path.resolve().as_uri())
                check_layout(browser, width)
                height = browser.execute_script("return document.documentElement.scrollHeight")
                browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                    "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
                name = f"report-{width}-{'dark' if dark else 'light'}.png"
                browser.save_screenshot(str(folder / name))
                print(folder / name)
        check_silence(browser)
    finally:
        browser.quit()


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "--screenshots":
        screenshots(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], check=True)
        drive(pathlib.Path(folder) / "report.html")


if __name__ == "__main__":
    main()
