"""Which keys does a place refuse as a whole?"""

from __future__ import annotations

import json

from coldchain.stores.names import NameRules


def test_a_key_is_refused_by_its_bytes_and_not_by_its_characters() -> None:
    rules = NameRules(key_bytes=1024)
    folder = "é" * 100 + "/"  # 201 bytes
    assert rules.refusal(folder * 5 + "n" * 19) == ""
    assert "1,025 bytes" in rules.refusal(folder * 5 + "n" * 20)
    assert NameRules().refusal(folder * 50) == ""


def test_the_limit_of_keys_survives_json_and_older_json_has_none() -> None:
    rules = NameRules(key_bytes=1000)
    assert NameRules.from_json(json.loads(json.dumps(rules.as_json()))) == rules
    older = {name: value for name, value in rules.as_json().items() if name != "key_bytes"}
    assert NameRules.from_json(older) == NameRules()
