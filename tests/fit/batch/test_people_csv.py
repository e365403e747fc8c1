"""Who is in a folder: tables good and bad, files by name, and paths that try to leave."""

import pytest

from avatarlab.core.errors import InputError
from avatarlab.fit.batch.people_csv import entries, photos_of, resolve_inside


def folder(tmp_path, table=None, *names):
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    if table is not None:
        (tmp_path / "people.csv").write_text(table, encoding="utf-8")
    return tmp_path


def test_people_by_file_names(tmp_path):
    place = folder(
        tmp_path, None, "anna_front.jpg", "anna_side.PNG", "ben.heic", "notes.txt", "-x_front.jpg", ".y.jpg"
    )
    anna, ben = entries(place, {"stature_cm": "178"})
    assert anna.photos == {"front": ("anna_front.jpg",), "side": ("anna_side.PNG",)}
    assert ben.photos == {"front": ("ben.heic",)} and ben.facts == {
        "stature_cm": "178",
        "weight_kg": "",
        "sex": "",
        "clothes": "",
    }


def test_a_table_says_who_and_files_fill_its_gaps(tmp_path):
    table = "\ufeffname;stature_cm;front;sex\nben;180,5;deep/b.jpg;\nanna; 171 ;;female\n\n"
    place = folder(tmp_path, table, "anna_front.jpg", "carl_front.jpg")
    anna, ben = entries(place, {"sex": "male", "stature_cm": "1"})
    assert (
        anna.facts == {"stature_cm": "171", "weight_kg": "", "sex": "female", "clothes": ""}
        and ben.facts["sex"] == "male"
    )
    assert photos_of(anna, place) == {"front": (place / "anna_front.jpg").resolve()}
    assert ben.photos == {"front": ("deep/b.jpg",)} and ben.facts["stature_cm"] == "180,5"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("", "no column `name`"),
        ("nam,front\nx,y\n", "no column `name`"),
        ("name,statur_cm\nx,170\n", "column `statur_cm` is not known; did you mean `stature_cm`"),
        ("name,sex,sex\nx,male,male\n", "column `sex` is there twice"),
        ("name,sex\n../x,male\n", "line 2: got the name '../x'"),
        ("name,sex\nx,male\nx,male\n", "line 3: x is there twice"),
        ("name,sex\nx,male,3\n", "line 2: 3 cells in a table of 2"),
        ('name,sex\n"x,male\n', "not a table in UTF-8"),
    ],
)
def test_faults_of_the_table_are_named(tmp_path, table, says):
    with pytest.raises(InputError, match=says):
        entries(folder(tmp_path, table))


def test_tables_of_other_encodings_and_empty_folders(tmp_path):
    with pytest.raises(InputError, match="neither people.csv nor a photo called like anna_front.jpg"):
        entries(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        entries(tmp_path / "none")
    (tmp_path / "people.csv").write_bytes("name\nJ\xf6rg\n".encode("latin-1"))
    with pytest.raises(InputError, match="save it as CSV UTF-8"):
        entries(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../out.jpg",
        "a/../../out.jpg",
        "C:\\x.jpg",
        "\\\\host\\x.jpg",
        "..\\out.jpg",
        "link.jpg",
        "away/x.jpg",
    ],
)
def test_no_path_leaves_the_folder(tmp_path, name):
    place = tmp_path / "in"
    place.mkdir()
    (tmp_path / "out.jpg").write_bytes(b"x")
    (tmp_path / "x.jpg").write_bytes(b"x")
    (place / "link.jpg").symlink_to(tmp_path / "out.jpg")
    (place / "away").symlink_to(tmp_path)
    with pytest.raises(InputError, match="leads out of the folder"):
        resolve_inside(place, name)


def test_paths_that_stay_are_real_files(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.jpg").write_bytes(b"x")
    (tmp_path / "b.jpg").symlink_to("deep/a.jpg")
    assert (
        resolve_inside(tmp_path, "deep/a.jpg")
        == resolve_inside(tmp_path, "b.jpg")
        == (tmp_path / "deep" / "a.jpg").resolve()
    )
    for name in ("deep", "none.jpg", ""):
        with pytest.raises(InputError, match="no such photo"):
            resolve_inside(tmp_path, name)


def test_photos_that_are_missing_or_double(tmp_path):
    (double,) = entries(folder(tmp_path, None, "anna.jpg", "anna_front.png"))
    with pytest.raises(InputError, match=r"several front photos \(anna.jpg, anna_front.png\)"):
        photos_of(double, tmp_path)
    (bare,) = entries(folder(tmp_path, "name\nben\n"))
    with pytest.raises(InputError, match="no photo; .*ben_front.jpg"):
        photos_of(bare, tmp_path)
