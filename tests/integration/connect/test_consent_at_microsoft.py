"""What is Microsoft's own in a consent: approval by an administrator, tenants, refusals by AADSTS number."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconciler.errors import ConsentProblem, ConsentRefused, VendorUnavailable
from reconciler.simulators.microsoft_directory import CONSUMER_TENANT
from reconciler.simulators.wire import Fault
from tests.support.consent import ANA, CALLBACK, Consent, at_microsoft

BOSS = "boss@contoso.example"


@pytest.fixture
def microsoft() -> Iterator[Consent]:
    with at_microsoft() as bed:
        yield bed


def problem_of(microsoft: Consent, answer: dict[str, str]) -> ConsentProblem:
    with pytest.raises(ConsentRefused) as caught:
        microsoft.finish(microsoft.begin(), {"state": "state-1", **answer})
    return caught.value.problem


@pytest.mark.parametrize(
    ("error", "code", "problem"),
    [
        ("access_denied", 65004, ConsentProblem.DECLINED),
        ("access_denied", 90094, ConsentProblem.ADMIN_APPROVAL),
        ("access_denied", 90095, ConsentProblem.ADMIN_APPROVAL),
        ("invalid_grant", 65001, ConsentProblem.ADMIN_APPROVAL),
        ("interaction_required", 50105, ConsentProblem.ADMIN_APPROVAL),
        ("interaction_required", 53003, ConsentProblem.ADMIN_APPROVAL),
        ("unauthorized_client", 700016, ConsentProblem.ADMIN_APPROVAL),
        ("access_denied", 50020, ConsentProblem.WRONG_ACCOUNT),
        ("login_required", 50058, ConsentProblem.BROKEN),
    ],
)
def test_each_number_entra_returns_with_has_its_meaning(
    microsoft: Consent, error: str, code: int, problem: ConsentProblem
) -> None:
    answer = {"error": error, "error_description": f"AADSTS{code}: words that may change"}
    assert problem_of(microsoft, answer) is problem


def test_an_error_without_a_number_is_told_by_its_name(microsoft: Consent) -> None:
    assert problem_of(microsoft, {"error": "consent_required"}) is ConsentProblem.ADMIN_APPROVAL
    assert problem_of(microsoft, {"error": "access_denied"}) is ConsentProblem.DECLINED
    assert problem_of(microsoft, {"error": "<script>"}) is ConsentProblem.BROKEN


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (54005, ConsentProblem.EXPIRED),
        (70000, ConsentProblem.EXPIRED),
        (70008, ConsentProblem.EXPIRED),
        (501481, ConsentProblem.EXPIRED),
        (65001, ConsentProblem.ADMIN_APPROVAL),
        (53003, ConsentProblem.ADMIN_APPROVAL),
        (50034, ConsentProblem.WRONG_ACCOUNT),
    ],
)
def test_each_refusal_of_a_code_has_its_meaning(
    microsoft: Consent, code: int, problem: ConsentProblem
) -> None:
    microsoft.simulator.faults.add(Fault("status", "token", reason=str(code)))
    with pytest.raises(ConsentRefused, match=f"AADSTS{code}") as caught:
        microsoft.granted()
    assert caught.value.problem is problem


@pytest.mark.parametrize("code", [7000215, 7000222, 700027])
def test_trouble_with_our_own_registration_is_the_operators(microsoft: Consent, code: int) -> None:
    microsoft.simulator.faults.add(Fault("status", "token", reason=str(code)))
    with pytest.raises(VendorUnavailable, match=f"AADSTS{code}.*Check the application"):
        microsoft.granted()


def test_where_nobody_may_consent_an_administrator_approves_once_for_everyone(microsoft: Consent) -> None:
    simulator = microsoft.simulator
    simulator.add_account(BOSS, admin=True)
    tenant = simulator.directory.tenant("contoso.example")
    tenant.user_consent = False
    with pytest.raises(ConsentRefused) as caught:
        microsoft.granted()
    assert caught.value.problem is ConsentProblem.ADMIN_APPROVAL

    url = microsoft.flow.admin_consent_url(CALLBACK, "approval-1")
    assert url is not None
    answer = microsoft.press(url, BOSS)
    assert microsoft.flow.admin_approval("approval-1", answer) == tenant.id
    assert microsoft.granted().address == ANA


def test_an_administrator_may_decline(microsoft: Consent) -> None:
    microsoft.simulator.add_account(BOSS, admin=True)
    url = microsoft.flow.admin_consent_url(CALLBACK, "approval-1")
    assert url is not None
    answer = microsoft.press(url, BOSS, decision="cancel")
    with pytest.raises(ConsentRefused) as caught:
        microsoft.flow.admin_approval("approval-1", answer)
    assert caught.value.problem is ConsentProblem.DECLINED


@pytest.mark.parametrize(
    "answer",
    [
        {"state": "another"},
        {"tenant": "<script>"},
        {"admin_consent": "False"},
        {"error": "server_said_no"},
    ],
)
def test_an_approval_that_does_not_look_like_one_is_not_shown_as_one(
    microsoft: Consent, answer: dict[str, str]
) -> None:
    good = {"state": "s", "admin_consent": "True", "tenant": CONSUMER_TENANT}
    assert microsoft.flow.admin_approval("s", good) == CONSUMER_TENANT
    with pytest.raises(ConsentRefused):
        microsoft.flow.admin_approval("s", {**good, **answer})


@pytest.mark.parametrize(("tenant", "expected"), [("common", "organizations"), ("consumers", None)])
def test_approval_is_asked_of_organisations_only(tenant: str, expected: str | None) -> None:
    with at_microsoft(tenant=tenant) as microsoft:
        url = microsoft.flow.admin_consent_url(CALLBACK, "s")
        assert (url and f"/{expected}/v2.0/adminconsent?" in url) == (expected and True)


def test_only_accounts_of_an_allowed_tenant_are_taken() -> None:
    with at_microsoft() as open_to_all:
        tenant = open_to_all.granted().subject.partition(":")[0]
    with at_microsoft(allowed_tenants=[tenant.upper()]) as microsoft:
        assert microsoft.granted().address == ANA
    with at_microsoft(allowed_tenants=[CONSUMER_TENANT]) as microsoft:
        with pytest.raises(ConsentRefused) as caught:
            microsoft.granted()
        assert caught.value.problem is ConsentProblem.WRONG_ACCOUNT


def test_a_personal_account_is_connected_where_the_tenant_lets_it() -> None:
    with at_microsoft(tenant="common") as microsoft:
        microsoft.simulator.add_account("ana@outlook.example", consumer=True)
        granted = microsoft.granted("ana@outlook.example")
        assert granted.subject.startswith(f"{CONSUMER_TENANT}:")


def test_microsoft_has_no_way_to_end_one_persons_grant(microsoft: Consent) -> None:
    assert not microsoft.flow.revoke(microsoft.granted().credentials)
    assert microsoft.flow.manage_url.startswith("https://")
