"""The page on faults shows what was counted."""

import table


def test_the_page_has_the_tables_of_the_csv_files():
    page = table.PAGE.read_text(encoding="utf-8")
    assert table.page_text(page) == page
    assert all(table.read(path) for path in table.TABLES.values())


def test_a_session_replaces_its_own_rows_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "COUNTED", tmp_path / "faults.csv")
    for survived in (False, True):
        outcomes = table.Outcomes()
        outcomes.tried("one", "wait")
        if survived:
            outcomes.survived("one", "wait")
        outcomes.write()
    other = table.Outcomes()
    other.tried("other", "wait")
    other.write()
    counts = [(row["fault"], row["tried"], row["survived"]) for row in table.read(table.COUNTED)]
    assert counts == [("one", "1", "1"), ("other", "1", "0")]
