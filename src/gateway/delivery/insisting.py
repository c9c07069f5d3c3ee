"""One request, and what it takes besides: a fresh token, or something that has to be at the vendor first."""

from collections.abc import Sequence

import msgspec

from gateway.adapter import Encoded, Verdict
from gateway.delivery.batching import encode
from gateway.delivery.endpoints import Endpoint
from gateway.delivery.judge import Judgement
from gateway.delivery.lanes import Item
from gateway.delivery.sending import Sender, Sent


async def insist(sender: Sender, endpoint: Endpoint, request: Encoded, items: Sequence[Item]) -> Sent:
    """Send one request; where its answer asks for a token or a preparation, see to that and send it once more."""
    sent = await _with_token(sender, endpoint, request, items)
    if sent.judgement.verdict is not Verdict.PREPARE:
        return sent
    trouble = await _prepare(sender, endpoint, items)
    if trouble is not None:
        return sent._replace(answer=trouble.answer, judgement=trouble.judgement)
    again = await _with_token(sender, endpoint, request, items)
    if again.judgement.verdict is Verdict.PREPARE:
        return _rejected(again, f"{again.judgement.why}, also after {endpoint.outbound.prepare}")
    return again


async def _with_token(sender: Sender, endpoint: Endpoint, request: Encoded, items: Sequence[Item]) -> Sent:
    sent = await sender.exchange(endpoint, request, items)
    if sent.judgement.verdict is Verdict.RENEW:
        sent = await sender.exchange(endpoint, request, items)
    if sent.judgement.verdict is Verdict.RENEW:
        why = f"{sent.judgement.why}; and again with a fresh token"
        return sent._replace(judgement=Judgement(Verdict.HOLD, why))
    return sent


async def _prepare(sender: Sender, endpoint: Endpoint, items: Sequence[Item]) -> Sent | None:
    """Make the call that has to come first; return what stands in the way, if anything does."""
    nothing = Sent(Encoded(events=(), body=b""), items, None, Judgement(Verdict.REJECT, ""))
    first = endpoint.prepare
    if first is None:
        return _rejected(nothing, "the call that has to come first cannot be made for this target")
    batch = encode(first, items)
    for reason in batch.failed.values():
        return _rejected(nothing, reason)
    for request in batch.requests:
        # What it does not carry goes with the events' own request: no loss.
        bare = msgspec.structs.replace(request, lost=())
        sent = await _with_token(sender, first, bare, [items[at] for at in request.events])
        if sent.judgement.verdict is Verdict.PREPARE:
            return _rejected(sent, f"{sent.judgement.why}, which {first.outbound.name} was to see to")
        if sent.judgement.verdict is not Verdict.DONE:
            return sent
    return None


def _rejected(sent: Sent, why: str) -> Sent:
    return sent._replace(judgement=Judgement(Verdict.REJECT, why))
