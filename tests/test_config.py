"""Configurations: frozen, strict, the same through YAML, and clear when wrong."""

from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

from napari_orient.config import Config, ConfigError


class Matching(Config):
    spacing: float = Field(1.0, gt=0, description="degrees")
    phases: tuple[str, ...] = ("Ni",)


def test_frozen_and_unknown_keys_are_errors():
    config = Matching()
    with pytest.raises(ValidationError):
        config.spacing = 2.0
    with pytest.raises(ValidationError):
        Matching(spacings=1.0)


def test_yaml_round_trip(tmp_path):
    config = Matching(spacing=0.5, phases=("Ni", "LiNiO2"))
    config.to_yaml(tmp_path / "a.yaml")
    assert Matching.from_yaml(tmp_path / "a.yaml") == config
    assert [p.name for p in tmp_path.iterdir()] == ["a.yaml"]  # no temporary file left


def test_empty_yaml_means_defaults(tmp_path):
    (tmp_path / "a.yaml").write_text("")
    assert Matching.from_yaml(tmp_path / "a.yaml") == Matching()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("spacing: -1", "spacing.*greater than 0"),
        ("spacin: 1", "spacin: .*not permitted"),
        ("- 1", "expected 'name: value'"),
        ("a: [", "not valid YAML"),
    ],
)
def test_errors_name_the_file_and_the_field(tmp_path, text, said):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"(?s)wrong.yaml.*{said}"):
        Matching.from_yaml(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml.*cannot be read"):
        Matching.from_yaml(tmp_path / "nowhere.yaml")
