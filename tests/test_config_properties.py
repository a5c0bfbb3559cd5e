"""Whatever a config or a setting holds, it is refused in one line, or it is what the schema allows."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lpi import config_keys, experiment, schema
from lpi.config import SETTINGS, ConfigError, check_setting, parse_assignment

numbers = st.sampled_from([-1, 0, 1, 2, 3, 7, 40, 2**31, 2**63, 10**400, 0.0, -0.5, 0.5, 0.95, 1.0, 1.5, 1e308])
words = st.sampled_from(["", "line", "ring", "zero", "failure", "working", "none.txt", "none.py", "a\nb", "1e-2", "é"])
simple = st.one_of(st.none(), st.booleans(), numbers, words, st.text(max_size=5))
values = st.recursive(
    simple,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=6,
)
SCHEMA = schema.config_schema()
quick = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(st.sampled_from(sorted(SETTINGS)), values)
def test_a_setting_is_refused_in_one_line_or_as_the_schema_allows(key, value):
    try:
        found = check_setting(key, value)
    except ConfigError as error:
        assert str(error).startswith(f"{key}: ") and "is not allowed; " in str(error) and "\n" not in str(error)
        with pytest.raises(ConfigError):  # nor does the command line let it in
            check_setting(*parse_assignment(f"{key}={json.dumps(value)}"))
    else:
        jsonschema.validate(value, schema.setting_schema(key))
        assert check_setting(key, found) == found


listed = st.lists(numbers, min_size=1, max_size=2)
panels = st.fixed_dictionaries({"figure1": st.fixed_dictionaries({"agents": listed, "taus": listed})})
one_wrong = st.sampled_from(sorted(config_keys.KEYS)).flatmap(lambda key: st.fixed_dictionaries({key: values}))
several = st.fixed_dictionaries({}, optional={"figures": panels, "kappas": listed, "seeds": listed, "settings": values})


@quick
@given(st.one_of(one_wrong, several))
def test_a_config_is_refused_in_one_line_or_as_the_schema_allows(config):
    try:
        experiment.load(config)
    except ConfigError as error:
        assert "\n" not in str(error) and ": " in str(error) and "Error" not in str(error)
    else:
        jsonschema.validate(config, SCHEMA)
