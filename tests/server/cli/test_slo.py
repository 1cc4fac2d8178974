"""cairn slo: objectives are set, listed and removed, and their mistakes say what to do."""

import json

from test_exit_codes import DONE, FAILED, USAGE, said

FAST = ("--tier", "dram", "--size", "1MiB", "--p99", "1ms", "--target", "99.9", "--window", "30d")


def listed(run, admin):
    result = run("slo", "list", *admin, "--json")
    assert result.returncode == DONE, result.stderr
    return {state["name"]: state for state in json.loads(result.stdout)}


def test_an_objective_comes_is_listed_and_goes(run, admin):
    assert "no objectives; cairn slo set" in run("slo", "list", *admin).stdout
    result = run("slo", "set", *FAST, *admin)
    assert result.stdout == (
        "objective dram-1mib-1ms: 99.9 % of gets of up to 1MiB from dram within 1ms, over 30d, "
        "for all tenants\n"
    )
    assert run("slo", "set", "--kind", "answered", "--target", 99.99, *admin).returncode == DONE
    states = listed(run, admin)
    assert set(states) == {"dram-1mib-1ms", "answered"}
    fast = states["dram-1mib-1ms"]
    assert fast["urgency"] == "any"
    assert (fast["within_ns"], fast["target"], fast["window_s"]) == (1_000_000, 0.999, 30 * 86400)
    assert [burn["factor"] for burn in fast["burns"]] == [14.4, 6, 1]
    table = run("slo", "list", *admin).stdout
    assert "99.99 % of calls answered by their deadline, 30d" in table
    for name in states:
        assert run("slo", "rm", name, *admin).returncode == DONE
    assert not listed(run, admin)


def test_an_objective_of_that_name_is_replaced(run, admin):
    for target in ("99", "99.5"):
        words = ("--name", "x", "--size", "64KiB", "--within", "2ms", "--target", target)
        assert run("slo", "set", *words, *admin).returncode == DONE
    assert listed(run, admin)["x"]["target"] == 0.995
    run("slo", "rm", "x", *admin)


def test_an_objective_may_be_of_one_urgency(run, admin):
    result = run("slo", "set", *FAST, "--urgency", "batch", *admin)
    assert result.stdout.startswith("objective dram-1mib-1ms-batch: 99.9 % of batch gets of up to")
    assert listed(run, admin)["dram-1mib-1ms-batch"]["urgency"] == "batch"
    run("slo", "rm", "dram-1mib-1ms-batch", *admin)


def test_mistakes_say_what_to_do(run, admin):
    said(run("slo", "set", "--size", "3MiB", "--within", "1ms", *admin), USAGE, "size", "64KiB")
    said(run("slo", "set", "--size", "1MiB", "--within", "3ms", *admin), USAGE, "2ms, 5ms")
    said(run("slo", "set", *FAST, "--urgency", "soon", *admin), USAGE, "urgency", "batch")
    both = ("--size", "1MiB", "--within", "1ms", "--p99", "2ms")
    said(run("slo", "set", *both, *admin), USAGE, "p99", "one of the two")
    said(run("slo", "set", *FAST, "--tenant", "nobody", *admin), FAILED, "nobody")
    said(run("slo", "rm", "nothing", *admin), FAILED, "nothing")
