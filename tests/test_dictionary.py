"""The descriptions of a report's tables, read by the tools of those who made the formats."""

import json

import pyarrow.parquet as pq
import pytest
import yaml
from bs4 import BeautifulSoup
from frictionless import Package
from open_data_contract_standard.model import OpenDataContractStandard

from tmdb_analysis.core.schema import TABLES


def test_the_data_package_describes_all_csv_files_truly(demo):
    "Frictionless reads each file and compares types, missing values, bytes and digest."
    found = Package(demo.report / "datapackage.json").validate()
    assert found.valid, found.flatten(["name", "fieldName", "rowNumber", "message"])[:10]
    described = {task.place for task in found.tasks}
    files = {path.relative_to(demo.report).as_posix() for path in demo.report.rglob("*.csv")}
    assert described == files


def test_a_wrong_file_is_found(demo, tmp_path):
    "The check above can fail: for a text among numbers, and for other content."
    package = json.loads((demo.report / "datapackage.json").read_text())
    package["resources"] = [r for r in package["resources"] if r["path"] == "flags.csv"]
    (tmp_path / "datapackage.json").write_text(json.dumps(package))
    text = (demo.report / "flags.csv").read_text()
    (tmp_path / "flags.csv").write_text(text.replace("\n19,", "\nnineteen,", 1))
    kinds = {
        kind for (kind,) in Package(tmp_path / "datapackage.json").validate().flatten(["type"])
    }
    assert {"type-error", "hash-count"} <= kinds


@pytest.mark.parametrize("folder", ["tables", "kpis"])
def test_the_data_contract_describes_all_parquet_files_truly(demo, folder):
    "The standard's own model reads it; names and nullability are those of the files."
    contract = OpenDataContractStandard.from_file(str(demo.report / "contract.yaml"))
    described = {table.name: table.properties for table in contract.schema_}
    place = demo.tables if folder == "tables" else demo.report / "kpis"
    paths = {path.stem: path for path in place.glob("*.parquet")}
    assert paths and paths.keys() <= described.keys()
    for name, path in paths.items():
        assert [p.name for p in described[name]] == pq.read_schema(path).names, name


def test_the_contract_is_valid_by_its_schema(demo):
    "Types, key positions and required entries, by the JSON schema of the standard."
    from importlib.resources import files

    from jsonschema import Draft201909Validator

    schema = json.loads((files("open_data_contract_standard") / "schema.json").read_text())
    contract = yaml.safe_load((demo.report / "contract.yaml").read_text())
    faults = [error.message for error in Draft201909Validator(schema).iter_errors(contract)]
    assert not faults, faults[:5]
    assert contract["apiVersion"] >= "v3.1", "earlier versions of the standard have no timestamp"


def test_people_find_every_table_and_column(demo):
    "The page is linked from the report and has a row for each column."
    report = BeautifulSoup((demo.report / "index.html").read_text(), "html.parser")
    assert report.select_one('a[href="dictionary.html"]')
    page = BeautifulSoup((demo.report / "dictionary.html").read_text(), "html.parser")
    rows = [row.td.get_text() for row in page.select("tbody tr")]
    assert len(rows) >= sum(len(table.columns) for table in TABLES.values())
