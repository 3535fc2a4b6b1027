"""What does a task's configuration look like? One frozen model = YAML = command line = form."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError


class ConfigError(ValueError):
    """A configuration that does not fit its model; the message names the file and the field."""


class Config(BaseModel):
    """Base of all configurations: frozen, unknown keys forbidden, defaults for everything.

    Field descriptions (``Field(description=...)``) become tooltips and command-line help, so they
    are written for the user and state units.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Read the configuration from a YAML file.

        Raises
        ------
        ConfigError
            If the file is missing, is not a YAML mapping, or a field is unknown or out of range.
        """
        import yaml

        try:
            values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read ({error})") from error
        except yaml.YAMLError as error:
            raise ConfigError(f"{path}: not valid YAML ({error})") from error
        if values is None:
            values = {}
        if not isinstance(values, dict):
            found = type(values).__name__
            raise ConfigError(f"{path}: expected 'name: value' lines, found {found}")
        return cls.checked(values, where=str(path))

    @classmethod
    def checked(cls, values: dict[str, Any], where: str = "configuration") -> Self:
        """Validate ``values`` and say in one line, field by field, what does not fit."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            said = "; ".join(
                f"{'.'.join(map(str, item['loc'])) or 'value'}: {item['msg']}"
                for item in error.errors()
            )
            raise ConfigError(f"{where}: {said}") from error

    def to_yaml(self, path: str | Path) -> None:
        """Write the configuration to a YAML file, replacing it atomically."""
        import yaml

        from napari_orient.files import replace_atomically

        text = yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)
        with replace_atomically(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
