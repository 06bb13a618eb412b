"""Streams: one independent sequence of random numbers for each purpose."""

from __future__ import annotations

import typing

import pytest

from nncli.core.randomness import Purpose, Streams, stream

PURPOSES: tuple[Purpose, ...] = typing.get_args(Purpose)

FIRST: dict[str, int] = {
    "data": 17394127715520444142,
    "split": 12492077108140196533,
    "initialization": 15463373330740448354,
    "shuffling": 6722610277276733253,
    "noise": 12045217992628855840,
    "augmentation": 4838454377821401865,
    "check": 2128253685141683958,
    "evaluation": 5633225198675825446,
    "generation": 15067852003256446195,
}


def numbers(purpose: Purpose, seed: int = 0, *keys: int) -> list[int]:
    return [int(n) for n in stream(seed, purpose, *keys).bit_generator.random_raw(4)]


@pytest.mark.parametrize("purpose", PURPOSES)
def test_stream_is_a_function_of_its_arguments(purpose: Purpose) -> None:
    assert numbers(purpose, 7, 3) == numbers(purpose, 7, 3)


def test_stream_differs_by_purpose_seed_and_keys() -> None:
    drawn = [tuple(numbers(purpose)) for purpose in PURPOSES]
    drawn += [tuple(numbers("data", seed)) for seed in (1, 2, 2**63 - 1)]
    drawn += [tuple(numbers("shuffling", 0, epoch)) for epoch in range(5)]
    drawn += [tuple(numbers("data", 0, 1))]
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_stream_of_a_purpose_never_changes(purpose: Purpose) -> None:
    # A purpose that moves in the list changes every run ever made with its seed.
    assert numbers(purpose)[0] == FIRST[purpose]


def test_streams_of_a_network_do_not_share_numbers() -> None:
    streams = Streams(0)
    initialization = streams.initialization.bit_generator.random_raw(4)
    noise = streams.noise.bit_generator.random_raw(4)
    assert list(initialization) == numbers("initialization")
    assert list(noise) == numbers("noise")
