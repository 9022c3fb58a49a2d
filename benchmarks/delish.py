"""DELISH KITCHEN's design, rebuilt: FastAPI, and one Redis read per arm for each decision.

The published parts: Thompson sampling behind FastAPI, counts and rewards per (surface, arm) in
Redis, a synchronous client. It is given what is fastest for it: connection pool, hiredis, uvloop.
"""

import os
import random

import redis
from fastapi import FastAPI
from pydantic import BaseModel

ARMS = ("arm-0", "arm-1", "arm-2", "arm-3", "arm-4")

app = FastAPI()
store = redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379"))


class DecideRequest(BaseModel):
    unit: str


class Decided(BaseModel):
    arm: str
    score: float


@app.post("/surfaces/{surface}/decide")
def decide(surface: str, request: DecideRequest) -> Decided:
    best = Decided(arm=ARMS[0], score=-1.0)
    for arm in ARMS:
        count, reward = store.hmget(f"{surface}:{arm}", "count", "reward")
        successes, trials = float(reward or 0), float(count or 0)
        score = random.betavariate(1.0 + successes, 1.0 + trials - successes)
        if score > best.score:
            best = Decided(arm=arm, score=score)
    return best


def fill(url: str, surface: str) -> None:
    """What its batch import would have written."""
    with redis.Redis.from_url(url) as client:
        for place, arm in enumerate(ARMS):
            client.hset(f"{surface}:{arm}", mapping={"count": 1_000, "reward": 40 + 5 * place})
