"""The page in a real browser, Debian's Chromium, opened from the disk."""

import shutil
import time

import pytest

import lstm_jax
from lstm_jax.page import build
from lstm_jax.text.forms import rhyme_share, tone_share

selenium = pytest.importorskip("selenium", reason='there is no selenium: pip install ".[browser]"')
webdriver = pytest.importorskip("selenium.webdriver")

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="there is no chromium with its chromedriver"
)

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
--disable-background-networking --disable-component-update --disable-sync --lang=en
--disable-dev-shm-usage --force-prefers-reduced-motion""".split()
HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script>"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build.write(folder)
    return (folder / "index.html").as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.chrome.service.Service(DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


class Page:
    """The page as a visitor sees it; every element by its id."""

    def __init__(self, driver, address):
        self.driver, self.address = driver, address

    def open(self, fragment="", width=1440):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get("about:blank")
        self.driver.get(self.address + fragment)

    def go(self, fragment):
        """Follow a link to the page on the page itself, which is faster than to open it anew."""
        if not self.driver.current_url.startswith(self.address):
            self.open()
        self.driver.execute_async_script(
            "for (const verse of document.querySelectorAll('.verse')) verse.className = 'verse';"
            "history.replaceState(null, '', location.pathname);"
            "addEventListener('hashchange', () => arguments[1](), {once: true});"
            "location.hash = arguments[0]",
            fragment,
        )

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def __getitem__(self, name):
        return self.driver.find_element("id", name)

    def all(self, css):
        return self.driver.find_elements("css selector", css)

    def poems(self):
        """The text of each poem, once it is whole."""
        script = (
            "const all = [...document.querySelectorAll('.verse')];"
            "return all.length && all.every((one) => one.classList.contains('whole'))"
            " ? all.map((one) => one.textContent) : null"
        )
        return self.wait(lambda: self.run(script))

    def wait(self, condition, seconds=30):
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, "it did not come"
            time.sleep(0.02)
        return found

    def slide(self, name, value):
        self.run(
            "const [input, value] = arguments; input.value = value;"
            "for (const kind of ['input', 'change'])"
            "  input.dispatchEvent(new Event(kind, {bubbles: true}))",
            self[name],
            value,
        )

    def quiet(self):
        assert self.driver.get_log("browser") == []


@pytest.fixture
def page(browser, address):
    shown = Page(browser, address)
    yield shown
    shown.quiet()


def test_a_poem_is_there_soon_after_opening_and_is_that_of_python(page):
    page.open("#seed=7&prompt=春&temperature=0.8&three=0")
    loaded = page.run("return performance.getEntriesByType('resource').map(({name}) => name)")
    own = page.address.removesuffix("index.html")
    assert all(name.startswith((own, "blob:", "data:")) for name in loaded)
    assert page.poems() == lstm_jax.load().generate("春", temperature=0.8, seed=7)
    assert page.run("return performance.now()") < 20_000  # 3 s, on a machine with nothing else


def test_a_visitor_types_slides_writes_and_looks_at_what_might_have_come(page):
    page.go("#seed=1&form=5x4")
    assert len(page.poems()) == 3
    page["three"].click()  # every change writes anew, and one poem is written sooner
    page["prompt"].send_keys("明月")
    page.slide("acrostic", "明山")
    page.slide("temperature", "0.6")
    assert page["temperature-value"].text == "0.60"
    page["three"].click()
    page["go"].click()
    poems = page.poems()
    assert all(len(poem) == 24 and poem.startswith("明月") and poem[6] == "山" for poem in poems)
    characters = page.all(".verse")[0].find_elements("tag name", "button")
    webdriver.ActionChains(page.driver).move_to_element(characters[8]).perform()
    page.wait(lambda: page["others"].text.startswith(f"“{poems[0][8]}” had a chance of"))
    characters[4].click()
    page.wait(lambda: page["others"].text.startswith(f"“{poems[0][4]}” had a chance of"))
    assert 1 <= len(page.all("#others li")) <= 6
    page.driver.switch_to.active_element.send_keys("\ue015")  # the arrow down
    chosen = page.all(".verse .chosen")
    assert [one.text for one in chosen] == [poems[0][5]]


def test_simplified_is_read_and_shown(page):
    page.go("#seed=3&three=0&form=5x4&prompt=白日依山尽，乾坤")
    [poem] = page.poems()
    assert poem.startswith("白日依山盡，乾坤")
    page["simplified"].click()
    for name in (".verse", "#read"):
        shown = page.run("return document.querySelector(arguments[0]).textContent", name)
        assert shown.startswith("白日依山尽，乾坤")


def test_what_the_model_does_not_know_is_told_while_one_types(page):
    page.go("#seed=1&three=0&form=5x4")
    page.poems()
    page["prompt"].send_keys("明a龘")
    assert page["fault"].text == "The model does not know: a 龘"
    assert not page["go"].is_enabled()


def test_rhyme_and_tones_are_kept(page):
    page.go("#seed=2&three=0&temperature=1.5")
    page["rhyme"].click()
    assert page["fault"].text.startswith("Rhyme and tones need a form")
    page.slide("form", "5x4")
    page["tones"].click()
    page.wait(lambda: page["go"].is_enabled())
    [poem] = page.poems()
    assert (rhyme_share(poem), tone_share(poem)) == (1, 1)


def test_a_page_without_the_table_writes_without_a_rhyme(page):
    without = """
        let held;
        const set = (page) => (held = {...page, words: {...page.words, readings: null}});
        Object.defineProperty(self, "PAGE", {get: () => held, set});
    """
    add, remove = (f"Page.{verb}ScriptToEvaluateOnNewDocument" for verb in ("add", "remove"))
    script = page.driver.execute_cdp_cmd(add, {"source": without})
    page.open("#seed=2&three=0&form=1x1&rhyme=1")
    page.driver.execute_cdp_cmd(remove, script)
    assert len(page.poems()) == 1
    assert page["fault"].text.endswith("out of range (rhyme) and was ignored.")
    assert not page["rhyme"].is_enabled()
    assert page["no-table"].text.startswith("Rhyme and tones are off: ")
    page.open("#seed=2&three=0&form=1x1")
    assert page["rhyme"].is_enabled()


def test_a_poem_and_a_link_to_it_are_copied(page):
    page.go("#seed=5&three=0&form=5x4&rhyme=1")
    poems = page.poems()
    allowed = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    page.driver.execute_cdp_cmd("Browser.grantPermissions", allowed)
    read = "navigator.clipboard.readText().then(arguments[0])"
    page["copy"].click()
    page.wait(lambda: page["status"].text == "Copied.")
    assert page.driver.execute_async_script(read) == f"{poems[0][:12]}\n{poems[0][12:]}"
    # Where the page has no clipboard, as on a plain http address.
    page.run(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true})"
    )
    page["share"].click()
    page.wait(lambda: page["status"].text == "The link to this poem has been copied.")
    page.run("delete navigator.clipboard")
    link = page.driver.execute_async_script(read)
    assert link == f"{page.address}#form=5x4&seed=5&rhyme=1&three=0"
    page.open(link.removeprefix(page.address))
    assert page.poems() == poems


def test_hostile_links_are_text_or_refused(page):
    page.go("#three=0")
    long = "x" * 100_000
    # A poem of one character, for it is written after each refusal.
    put = "location.hash = `three=0&form=1x1&${arguments[0]}=${encodeURIComponent(arguments[1])}`"
    for name in ("prompt", "acrostic", "mood"):
        for text, said in ((HOSTILE, "does not know: <"), (long, "The text has 100000 characters")):
            page.run(put, name, text)
            page.wait(lambda said=said: said in page["fault"].text)
    for name in ("form", "seed", "temperature"):
        for text in (HOSTILE, long):
            page.run("document.getElementById('fault').textContent = ''")
            page.run(put, name, text)
            page.wait(lambda name=name: f"out of range ({name})" in page["fault"].text)
    assert page.all("main img, main script") == []


def test_gates_play_and_follow_the_poem(page):
    page.go("#seed=2&three=0&form=5x4")
    page.poems()
    page.wait(lambda: page["step"].get_attribute("value") == "23")
    before = page.run("return document.querySelector('#gates canvas').toDataURL()")
    page["play"].click()
    page.wait(lambda: 2 < int(page["step"].get_attribute("value")) < 20)
    page["play"].click()
    assert page["play"].text == "Play"
    assert page.run("return document.querySelector('#gates canvas').toDataURL()") != before
    page["read"].find_element("css selector", "[tabindex='0']").send_keys("\ue014")  # right arrow
    next_one = page.driver.switch_to.active_element
    page.wait(lambda: next_one.get_attribute("aria-pressed") == "true")
    page.slide("layer", "1")
    assert "mean" in page.all("#gates canvas")[0].get_attribute("aria-label")


def test_sliders_move_what_they_say(page):
    page.go("#seed=1&three=0&form=5x4")
    page.slide("lag", "24")
    assert page["lag-value"].text == "500"
    assert page["norms"].text.splitlines() == [
        "RNN: 10⁻⁴⁶, upper bound 0.56",
        "LSTM, forget bias 1: 10⁻¹⁴, upper bound 10²⁷",
        "LSTM, long timescales: 0.54, upper bound 10³⁶",
    ]
    page.slide("f", "0.5")
    assert page["kept"].text.startswith("After 10 steps 0.098% is left")
    page.slide("turn", "200")
    page.wait(lambda: page["turn-value"].text == "200")
    wave, drag = page["wave"], webdriver.ActionChains(page.driver)
    drag.move_to_element(wave).click_and_hold().move_by_offset(-200, 0).release().perform()
    page.wait(lambda: 50 <= int(page["turn-value"].text) < 150)


@pytest.mark.parametrize("width", [375, 1440])
def test_both_languages_fit_both_widths(page, width):
    page.open("#seed=1&form=1x8", width=width)
    assert len(page.poems()) == 3
    for heading in ("瀏覽器裡的詩人", "A poet in your browser"):
        page["language"].click()
        assert page["write-title"].text == heading
        assert page.run("return document.documentElement.scrollWidth") <= width
    hidden = (
        "return [...document.querySelectorAll('.verse')].map((v) => v.scrollWidth - v.clientWidth)"
    )
    assert max(page.run(hidden)) <= 0  # eight lines fit side by side
    unnamed = page.run(
        "return [...document.querySelectorAll('input, select')]"
        ".filter((one) => !one.labels[0]?.textContent.trim()).map((one) => one.id)"
    )
    assert unnamed == []
