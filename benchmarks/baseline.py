"""Localized TD(0) in numpy, vectorised over agents: what one would write without compiled kernels.

It computes what `lpi.evaluation.localized_td` computes, from the same random numbers, for episodes from a product
initial distribution; the benchmark checks that both leave the same tables behind.
"""

from __future__ import annotations

import numpy as np


class NumpyTD:
    """TD(0) for every agent of an MDP whose agents have equally many local states and actions.

    Args:
        mdp: the networked MDP.
        kappa: hops of the policy and of the Q tables.
        start: start value of the Q tables.
    """

    def __init__(self, mdp, kappa: int, start: float):
        self.mdp, n = mdp, mdp.agents
        self.states, self.actions = int(mdp.states[0]), int(mdp.actions[0])
        self.near, self.near_stride = self._padded(1, self.states)
        self.around, self.state_stride = self._padded(kappa, self.states)
        _, self.action_stride = self._padded(kappa, self.actions)
        sizes = [len(mdp.network.neighbourhood(i, kappa)) for i in range(n)]
        self.joint_actions = self.actions ** np.array(sizes)
        joint_states = self.states ** np.array(sizes)
        self.q_offset = np.concatenate(([0], np.cumsum(joint_states * self.joint_actions)))
        self.row_offset = np.concatenate(([0], np.cumsum(joint_states)))[:-1]
        self.q = np.full(self.q_offset[-1], start)
        cumulative = [np.cumsum(table, axis=-1)[..., :-1].reshape(-1, self.states - 1) for table in mdp.transitions]
        self.next_offset = np.concatenate(([0], np.cumsum([len(table) for table in cumulative])))[:-1]
        self.cumulative = np.concatenate(cumulative)
        self.rewards = np.stack(mdp.rewards)
        self.rho = np.cumsum(np.stack([table[0] for table in mdp.rho.marginals]), axis=1)[:, :-1]

    def _padded(self, hops: int, values: int):
        """Neighbourhoods padded with agent 0 at stride 0, and mixed-radix strides, both (n, widest)."""
        hoods = self.mdp.network.neighbourhoods(hops)
        widest = max(len(hood) for hood in hoods)
        members, strides = np.zeros((len(hoods), widest), int), np.zeros((len(hoods), widest), int)
        for i, hood in enumerate(hoods):
            members[i, : len(hood)] = hood
            strides[i, : len(hood)] = values ** np.arange(len(hood) - 1, -1, -1)
        return members, strides

    def run(self, policy: np.ndarray, bonus: np.ndarray, updates: int, episode: int, alpha: float, rng) -> None:
        """`updates` steps; policy has one row of cumulative probabilities and bonus one number per agent and row."""
        n, agent, gamma = self.mdp.agents, np.arange(self.mdp.agents), self.mdp.gamma
        cumulative = np.cumsum(policy.reshape(-1, self.actions), axis=1)[:, :-1]
        done = 0
        while done < updates:
            draws = rng.random(2 * n)
            state = (draws[:n, None] >= self.rho).sum(axis=1)
            action, row, entry = self._act(state, cumulative, draws[n:])
            reward = self.rewards[agent, state, action] + bonus[row]
            for _ in range(min(episode, updates - done)):
                draws = rng.random(2 * n)
                near = (state[self.near] * self.near_stride).sum(axis=1)
                at = self.next_offset + near * self.actions + action
                state = (draws[:n, None] >= self.cumulative[at]).sum(axis=1)
                action, row, following = self._act(state, cumulative, draws[n:])
                target = reward + gamma * self.q[following]
                self.q[entry] = (1.0 - alpha) * self.q[entry] + alpha * target
                reward, entry = self.rewards[agent, state, action] + bonus[row], following
                done += 1

    def _act(self, state, cumulative, draws):
        index = (state[self.around] * self.state_stride).sum(axis=1)
        row = self.row_offset + index
        action = (draws[:, None] >= cumulative[row]).sum(axis=1)
        joint = (action[self.around] * self.action_stride).sum(axis=1)
        return action, row, self.q_offset[:-1] + index * self.joint_actions + joint
