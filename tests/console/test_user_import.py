"""A file of people in the console: looked at, every bad row named, then taken; whatever the file holds."""

import csv
import io
import re
from typing import Any

import pytest

from authserver.console.people_csv import read
from tests.console.staff import Staff, text
from tests.signing_in import hidden
from tests.world import ISSUER, Answer, World

FILE = """username,name,roles,country,email
nora,Nora New,support,SE,nora@example.com
bad,Bad Row,support emperor,Sweden,bad@example.com
"two words",Second,support,SE,second@example.com
agent@example.com,Avery Renamed,support,SE,
"""
FORMULA = '=HYPERLINK("https://evil.example","x")'


@pytest.fixture
def admin(staff: Staff) -> Staff:
    staff.enter("admin", "/console/users")
    return staff


def send(admin: Staff, content: bytes | str, do: str = "look", **more: Any) -> Answer:
    """Send a file as a browser without scripts does."""
    raw = content.encode() if isinstance(content, str) else content
    proof = hidden(admin.go("/console/"))["csrf"]
    form = {"csrf": proof, "do": do, "file": (io.BytesIO(raw), "people.csv"), **more}
    headers = {"Origin": ISSUER}
    sent = admin.http.post("/console/users/import", data=form, headers=headers, base_url=ISSUER)
    return Answer.of(sent)


def piece(admin: Staff, content: str, do: str = "look", first_row: int = 2) -> Answer:
    """Send a piece of a file as the script does."""
    form = {"csrf": hidden(admin.go("/console/"))["csrf"], "text": content, "do": do, "first_row": str(first_row)}
    boundary = {"content_type": "multipart/form-data", "headers": {"Origin": ISSUER}, "base_url": ISSUER}
    return Answer.of(admin.http.post("/console/users/import/rows", data=form, **boundary))


def counts(shown: Answer) -> dict[str, int]:
    return {name: int(count) for name, count in re.findall(r'data-count="(\w+)">(\d+)<', shown.text)}


def users(world: World, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.api("GET", f"/api/v1/users?q={query}", "admin").json["items"]
    return found


def test_a_look_names_every_bad_row_and_field_and_writes_nothing(world: World, admin: Staff) -> None:
    shown = send(admin, FILE)
    assert counts(shown) == {"create": 1, "change": 1, "unchanged": 0, "error": 2}
    words = text(shown)
    assert "3 bad roles support emperor" in words
    assert "3 bad country Sweden Is two capital letters" in words
    assert "4 two words username two words A user name has" in words
    assert "This would be imported" in words
    assert users(world, "nora") == []
    assert not world.events("users:imported")


def test_what_was_looked_at_is_taken_without_its_bad_rows(world: World, admin: Staff) -> None:
    looked = send(admin, FILE)
    kept = re.search(r'<textarea name="text" hidden>\n(.*?)</textarea>', looked.text, re.DOTALL)
    assert kept is not None
    taken = admin.send("/console/users/import", looked, do="import", text=kept[1].replace("&#34;", '"'))
    assert counts(taken) == {"create": 1, "change": 1, "unchanged": 0, "error": 2}
    assert "This was imported" in taken.text
    assert [(each["name"], each["country"]) for each in users(world, "nora")] == [("Nora New", "SE")]
    assert users(world, "bad@") == []
    again = send(admin, FILE)
    assert counts(again) == {"create": 0, "change": 0, "unchanged": 2, "error": 2}
    assert 'value="import" hidden' in again.text


def test_the_bad_rows_are_a_file_that_can_be_mended_and_brought_again(world: World, admin: Staff) -> None:
    answer = send(admin, FILE, "bad")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="bad-rows.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["row"], row["username"]) for row in rows] == [("3", "bad"), ("4", "two words")]
    assert "country is two capital letters" in rows[0]["problems"]
    mended = answer.text.replace("support emperor", "support").replace("Sweden", "SE").replace("two words", "two")
    assert counts(send(admin, mended, "import"))["create"] == 2
    assert [each["country"] for each in users(world, "bad@")] == ["SE"]


def test_no_formula_comes_out_of_it(admin: Staff) -> None:
    """CWE-1236: a spreadsheet that opens the bad rows runs nothing; brought back, the text is what it was."""
    rows = io.StringIO()
    csv.writer(rows).writerows([["username", "name", "country"], ["x y", FORMULA, "@SUM(1)"], ["-1+1", "+1", "\t=1"]])
    answer = send(admin, rows.getvalue(), "bad")
    cells = [cell for row in csv.reader(io.StringIO(answer.text)) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert f"'{FORMULA}" in cells
    assert read(answer.text).rows[0].values["name"] == FORMULA


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "The file is empty"),
        ("\n\n", "The file is empty"),
        ("username,username\na,b\n", "A column is there twice: username."),
        ("username, Username \na,b\n", "A column is there twice: username."),
        ("name\nNora\n", "There is no column username"),
        ("username,<script>x</script>\na,b\n", "There is no such column: &#39;&lt;script&gt;x&lt;/script&gt;&#39;."),
        ("username;name\na;b\n", "parted by semicolons"),
        ('username,name\n"a,b\n', "A quotation mark is not closed"),
        ('username,name\n"a"b,c\n', "A quotation mark is not closed"),
        ("username\na\0b\n", "holds what is no text"),
        ("username\nfjällräv\n".encode("latin-1"), "not in UTF-8"),
        ("username\nnora\n".encode("utf-16"), "not in UTF-8"),
        (b"PK\x03\x04\xff\xfe", "not in UTF-8"),
        ("username\n" + "a\n" * 30_000, "too large to be read at once"),
        ("username\n" + "\n" * 3000, "more than 2000 rows"),
        ("username\n" + '"' + "a" * 20_000 + '"\n', "longer than 1024"),
    ],
    ids=str,
)
def test_a_hostile_file_is_told_what_is_wrong_with_it(admin: Staff, content: bytes | str, words: str) -> None:
    shown = send(admin, content)
    assert shown.status_code in {200, 400}
    assert words in shown.text


def test_a_mark_at_the_beginning_and_any_end_of_line_are_taken(admin: Staff) -> None:
    for end in ("\n", "\r\n", "\r"):
        content = "\ufeff" + end.join(["username,name", '"q","A ""quoted"" name, with a comma"', "", "r,R", ""])
        assert counts(send(admin, content)) == {"create": 2, "change": 0, "unchanged": 0, "error": 0}


def test_rows_of_another_length_and_a_name_that_is_there_twice_are_bad() -> None:
    people = read("username,name\na\nb,B,more\nc,C\nc,D\n")
    assert [(row.number, [each["problem"] for each in row.errors]) for row in people.rows] == [
        (2, ["has too few cells"]),
        (3, ["has more cells than there are columns"]),
        (4, []),
        (5, ["stands in row 4 already"]),
    ]


def test_what_is_in_a_file_stays_words(admin: Staff) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    shown = send(admin, f"username,name,country\n{hostile},{hostile},{hostile}\nfine,{hostile},SE\n")
    assert hostile not in shown.text
    told = piece(admin, f"username,name,country\n{hostile},{hostile},{hostile}\nfine,{hostile},SE\n").json
    assert hostile not in told["bad_rows"] + told["good_rows"]


def test_the_script_sends_pieces_and_is_told_of_each(world: World, admin: Staff) -> None:
    first = "username,name\r\n"
    told = piece(admin, first + "".join(f"p{number},P\r\n" for number in range(100)) + "a b,c\r\n").json
    assert told["counts"] == {"create": 100, "change": 0, "unchanged": 0, "error": 1}
    assert (told["next_row"], told["names"][0], len(told["names"])) == (103, ["p0", 2], 101)
    assert told["bad_rows"].count("<tr>") == 1
    assert told["bad"].startswith("a b,c,102,")
    assert told["bad_line"] == "username,name,row,problems\r\n"
    assert users(world, "p1") == []
    taken = piece(admin, first + "p200,P\r\n", "import", told["next_row"]).json
    assert (taken["counts"]["create"], taken["names"]) == (1, [["p200", 103]])
    assert [each["username"] for each in users(world, "p200")] == ["p200"]
    refused = piece(admin, "username,username\r\na,b\r\n")
    assert (refused.status_code, refused.json["problem"]) == (400, "A column is there twice: username.")


def test_large_rows_go_to_the_api_in_batches_that_it_takes(admin: Staff) -> None:
    """A request of the API is 64 KiB at most; an accent is six bytes there."""
    columns = "username,name,email,tier,groups,conflicts,locale,app_version"
    wide = "å" * 900
    rows = [f"u{number},{','.join([wide] * 7)}" for number in range(3)]
    people = piece(admin, "\n".join([columns, *rows]))
    assert people.json["counts"]["error"] == 3
    assert "(row)" not in people.json["bad"]
    wider = ",".join(["å" * 1020] * 7)
    assert piece(admin, f"{columns}\nu9,{wider}\n").json["counts"]["error"] == 1


def test_the_empty_file_has_every_column(admin: Staff) -> None:
    answer = admin.get("/console/users/import/people.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.text.startswith("username,population,name,")
    assert read(answer.text).rows == []


@pytest.mark.parametrize("who", ["agent", "lead", "auditor", "customer"])
def test_nobody_else_imports(world: World, staff: Staff, who: str) -> None:
    staff.enter(who)
    for path in ("/console/users/import", "/console/users/import/people.csv"):
        assert staff.get(path).status_code == 403
    assert send(staff, FILE, "import").status_code == 403
    refused = piece(staff, FILE, "import")
    assert (refused.status_code, set(refused.json)) == (403, {"problem"})
    assert users(world, "nora") == []
    refusals = [each["endpoint"] for each in world.events("request:refused")]
    assert refusals.count("api.import_users") == 2


def test_an_import_needs_its_proof(world: World, admin: Staff) -> None:
    for path in ("/console/users/import", "/console/users/import/rows"):
        assert admin.post(path, text=FILE, do="import").status_code == 403
        proof = hidden(admin.get("/console/users/import"))["csrf"]
        assert admin.post(path, _origin="https://evil.example", csrf=proof, text=FILE).status_code == 403
    assert users(world, "nora") == []
