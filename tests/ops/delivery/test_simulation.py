"""The dispatch guarantee under a virtual clock: kills, pauses and a lying gateway, seed by seed.

A violation names its seed; ``World(seed, actor).run()`` tells the same story again.
"""

from __future__ import annotations

from collections import Counter

import pytest

from kequn.ops.orgs.actor import Actor
from tests.ops.delivery.mutants import MUTANTS
from tests.ops.delivery.simulation import Violation, World

SEEDS, MANY_SEEDS, PARTS = 40, 400, 4
MUTANT_SEEDS = 400


@pytest.mark.parametrize("part", range(PARTS))
def test_no_customer_twice_none_forgotten_and_never_a_guess(marketer: Actor, part: int) -> None:
    lived: Counter[str] = Counter()
    seeds = range(part, SEEDS, PARTS)
    for seed in seeds:
        world = World(seed, marketer).run()
        lived.update(kills=world.kills, pauses=world.pauses, calls=len(world.gateway.began))
    assert lived["kills"] > len(seeds)  # the worlds were as rough as they were meant to be
    assert lived["pauses"] > len(seeds)
    assert lived["calls"] > 5 * len(seeds)


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_nor_in_hundreds_of_worlds(marketer: Actor) -> None:
    for seed in range(SEEDS, MANY_SEEDS):
        World(seed, marketer).run()


@pytest.mark.parametrize("seed", [208, 5208])
def test_a_past_fault_stays_cured(marketer: Actor, seed: int) -> None:
    """A second attempt and a new touch of one customer, weighed together, exceeded her cap."""
    World(seed, marketer, guarantee="keeps_keys").run()


def found_at(name: str, marketer: Actor, seeds: int) -> int | None:
    outbox, more = MUTANTS[name]
    for seed in range(seeds):
        try:
            World(seed, marketer, outbox=outbox, **more).run()
        except Violation:
            return seed
    return None


LATE = ("any_attempt", "count_then_claim", "no_fence")
"""Found only after dozens of seeds."""


@pytest.mark.parametrize("name", sorted(MUTANTS.keys() - set(LATE)))
def test_a_protocol_with_a_broken_rule_is_caught(marketer: Actor, name: str) -> None:
    assert found_at(name, marketer, 60) is not None


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", LATE)
def test_a_protocol_with_a_subtly_broken_rule_is_caught(marketer: Actor, name: str) -> None:
    assert found_at(name, marketer, MUTANT_SEEDS) is not None


def test_the_same_seed_tells_the_same_story(marketer: Actor) -> None:
    stories = set()
    for _ in range(2):
        world = World(7, marketer).run()
        stories.add((world.seconds, world.kills, tuple((at, m.key) for at, m in world.gateway.began)))
    assert len(stories) == 1
