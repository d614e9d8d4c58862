from html.parser import HTMLParser

import pytest

from services.gateway.page import Bar, Chart, Page, Shown, Statement, number, render

VOID = {"meta", "link", "img", "rect", "br"}


class Read(HTMLParser):
    """Reads a page, and refuses what is not closed, or closed twice."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


PAGE = Page(
    as_at="31 December 2020",
    demonstration="31 December 2020",
    statements=[
        Statement(
            group="Cancer <Alliance>",
            text="Across the 4 communities there have been 1262 participants & others.",
            figures=[
                Shown(name="Participants", value=1262, unit="people", n=1262, note="Each once"),
                Shown(name="Show-up", value=0.834, unit="share", n=11, unknown=1),
                Shown(name="Confidence", value=None, unit="points", unknown=23),
            ],
            charts=[
                Chart(
                    heading="By trust",
                    bars=[Bar(label="A trust", value=631, of=1262), Bar(label="Nobody", value=0, of=0)],
                )
            ],
            sources=["The network's own page"],
        ),
        Statement(group="Diabetes in Pregnancy", text="4 of 7 trusts have adopted GDm-Health; 3 in progress."),
        Statement(group="Cancer <Alliance>", text="12 of 12 convenings were held."),
    ],
)


def test_every_statement_and_every_figure_can_be_read() -> None:
    text = Read(render(PAGE)).text
    for statement in PAGE.statements:
        assert statement.text in text
        assert all(figure.name in text and figure.value_in_words in text for figure in statement.figures)
        assert all(source in text for source in statement.sources)
    assert "1,262 people" in text
    assert "83.4 %" in text
    assert "n = 11, 1 unknown" in text


def test_what_is_unknown_is_not_zero() -> None:
    assert "not known" in Read(render(PAGE)).text


def test_words_are_words_and_never_markup() -> None:
    assert "Cancer &lt;Alliance&gt;" in render(PAGE)


def test_statements_about_one_thing_stand_together() -> None:
    assert [len(statements) for statements in PAGE.groups.values()] == [2, 1]


def test_a_demonstration_is_marked_at_the_top_and_on_every_card_that_is_one() -> None:
    made_up, real = (PAGE.statements[0].model_copy(update={"demonstration": day}) for day in ("31 December 2020", None))
    mixed = PAGE.model_copy(update={"statements": [made_up, real, made_up]})
    assert Read(render(mixed)).text.count("Demonstration as at 31 December 2020") == 1 + 2
    assert "Demonstration" not in Read(render(Page(as_at="31 December 2020", statements=[real]))).text


def test_a_bar_is_as_long_as_its_share() -> None:
    parts = [rect["width"] for rect in Read(render(PAGE)).all("rect") if rect["class"] == "part"]
    assert parts == ["50.0", "0.0"]
    assert Bar(label="more than all", value=5, of=4).percent == 100


def test_an_empty_page_says_how_it_is_filled() -> None:
    text = Read(render(Page(as_at="today"))).text
    assert "Nothing is on record yet" in text
    assert "make demo" in text


def test_it_has_landmarks_one_heading_and_no_script_and_asks_no_other_host() -> None:
    page = Read(render(PAGE))
    assert all(len(page.all(tag)) == 1 for tag in ("header", "main", "footer", "nav", "h1"))
    assert page.all("script") == []
    addresses = [at.get("href") or at.get("src") or "" for _, at in page.tags if at.get("href") or at.get("src")]
    assert all(address.startswith(("/", "#")) and not address.startswith("//") for address in addresses)
    assert {"/docs", "/v1/measures"} <= set(addresses)


@pytest.mark.parametrize(
    ("value", "words"),
    [(1486, "1,486"), (71.4, "71.4"), (4.0, "4"), (0.123, "0.12"), ("4 of 7", "4 of 7"), (None, "not known"), (0, "0")],
)
def test_numbers_are_written_as_people_write_them(value: float | str | None, words: str) -> None:
    assert number(value) == words
