"""Package metadata from settings.ini, and a wheel that carries the book, so that `pip install`
alone can run the chain."""

import shlex
import shutil
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
ini = ConfigParser(delimiters=["="])
ini.read(HERE / "settings.ini", encoding="utf-8")
cfg = ini["DEFAULT"]


class BuildBook(build_py):
    "Copy the chapters, the sample and the reference tables into the package, as `_book/`."

    def pages(self) -> list[Path]:
        data = [
            p
            for name in ("sample", "reference")
            for p in sorted((HERE / "data" / name).rglob("*"))
            if p.is_file()
        ]
        return (
            sorted((HERE / "nbs").glob("index.ipynb"))
            + sorted((HERE / "nbs").glob("[0-9]_*/[0-9]*.ipynb"))
            + data
        )

    def target(self, page: Path) -> Path:
        return Path(self.build_lib) / cfg["lib_path"] / "_book" / page.relative_to(HERE)

    def run(self):
        super().run()
        if self.editable_mode:
            return
        shutil.rmtree(Path(self.build_lib) / cfg["lib_path"] / "_book", ignore_errors=True)
        for page in self.pages():
            self.target(page).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(page, self.target(page))

    def get_outputs(self, include_bytecode=True):
        book = [] if self.editable_mode else [str(self.target(p)) for p in self.pages()]
        return super().get_outputs(include_bytecode) + book


setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    url=cfg["git_url"],
    author=cfg["author"],
    author_email=cfg["author_email"],
    license="MIT",
    keywords=cfg["keywords"].split(),
    packages=find_packages(include=[cfg["lib_path"], f"{cfg['lib_path']}.*"]),
    package_data={
        "": ["py.typed", "*.pyi"],
        f"{cfg['lib_path']}.pages": ["assets/*.*", "assets/charts/*.*"],
    },
    python_requires=f">={cfg['min_python']}",
    install_requires=shlex.split(cfg["requirements"]),
    extras_require={
        extra: shlex.split(cfg[f"{extra}_requirements"]) for extra in ("dev", "polars", "slides")
    },
    entry_points={"console_scripts": shlex.split(cfg["console_scripts"])},
    cmdclass={"build_py": BuildBook},
)
