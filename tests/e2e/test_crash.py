"""Killed under load, again and again: what was answered with success arrives, in order, and the sum holds."""

import random
import threading
import time
from collections import Counter
from itertools import count

import httpx
import pytest

from tests.e2e.harness import KLAVIYO_HEADERS, World, kill, klaviyo_event, received

ROUNDS = 6
PEOPLE = 7
"""The harness gives number n to person n % 7: a sender per person keeps the person's events in order."""


class Sender(threading.Thread):
    """One person's device: sends its numbers one after the other, and gives up on one when the line is cut."""

    def __init__(self, person: int, url: str, numbers: "count[int]") -> None:
        super().__init__(daemon=True)
        self.person = person
        self.url = url
        self.numbers = numbers
        self.accepted: list[int] = []
        self.stop = threading.Event()

    def run(self) -> None:
        with httpx.Client(trust_env=False, timeout=10) as client:
            while not self.stop.is_set():
                number = next(self.numbers) * PEOPLE + self.person
                try:
                    answer = client.post(
                        f"{self.url}/klaviyo/api/events", json=klaviyo_event(number), headers=KLAVIYO_HEADERS
                    )
                except httpx.HTTPError:
                    return
                if answer.status_code == 202:
                    self.accepted.append(number)
                time.sleep(0.01)


def rounds(here: World, end: str) -> list[list[int]]:
    """Run the gateway under load and end it, several times; return what each person's device knows to be accepted."""
    numbers = [count() for _ in range(PEOPLE)]
    accepted: list[list[int]] = [[] for _ in range(PEOPLE)]
    for _ in range(ROUNDS):
        gateway = here.serve()
        senders = [Sender(person, gateway.ready["listen"], numbers[person]) for person in range(PEOPLE)]
        for sender in senders:
            sender.start()
        time.sleep(random.uniform(0.1, 0.4))
        if end == "kill":
            kill(gateway)
        else:
            gateway.popen.terminate()
            assert gateway.popen.wait(20) == 0
        for sender in senders:
            sender.stop.set()
            sender.join()
            accepted[sender.person] += sender.accepted
    return accepted


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_ended_under_load(here: World, end: str) -> None:
    crm = here.standin("blueshift")
    here.configure({"crm": {"vendor": "blueshift", "base_url": crm}})
    accepted = rounds(here, end)
    here.serve()
    counts = here.settled(sum(map(len, accepted)))["crm"]
    assert counts["missing"] == 0
    arrived = [event["properties"]["number"] for event in received(crm, 10_000)["last"]]
    assert sum(map(len, accepted)) > ROUNDS * PEOPLE, "there was no load"
    for person, numbers in enumerate(accepted):
        first = list(dict.fromkeys(number for number in arrived if number % PEOPLE == person))
        assert set(numbers) <= set(first)
        assert first == sorted(first), "a person's events arrived in another order"
    if end == "terminate":
        assert not [number for number, times in Counter(arrived).items() if times > 1]
