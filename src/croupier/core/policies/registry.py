"""The policies that a declaration may name: a file and an entry each."""

from typing import get_args

from croupier.core.policies.base import Allocation
from croupier.core.policies.decaying_epsilon import DecayingEpsilon
from croupier.core.policies.epsilon_greedy import EpsilonGreedy
from croupier.core.policies.kl_ucb import KLUCB
from croupier.core.policies.thompson import Thompson
from croupier.core.policies.ucb1 import UCB1
from croupier.core.policies.uniform import Uniform

Policy = Thompson | EpsilonGreedy | DecayingEpsilon | UCB1 | KLUCB | Uniform

POLICIES: dict[str, type[Allocation]] = {
    str(policy.__struct_config__.tag): policy for policy in get_args(Policy)
}
"""Every policy, by its kind."""
