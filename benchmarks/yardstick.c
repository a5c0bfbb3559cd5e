/* The training of Algorithm 1, written by hand for one case: a line of AGENTS agents with 4 local states and 2 actions
   each, beta = kappa = KAPPA, constant step size, rho a product distribution, reward of departure.

   A yardstick for the kernels of lpi, built by yardstick.py, and nothing that lpi needs.  What is special to the case:
   every size, offset and number of the settings is a constant; joint states and actions are words of 2 and 1 bits per
   agent (agent AGENTS - 1 lowest, as in lpi's tables), so the index of a neighbourhood is a shift and a mask; random
   numbers are xoshiro256++ in 8 interleaved streams; a policy is its probability of action 1 and the difference of two
   logits.

   Constants from the compiler's command line: AGENTS, KAPPA, GAMMA, ALPHA, EPISODE, TAU, ETA, KEEP (1 - eta tau), and lists
   with an entry per agent: NEAR_OFFSETS (into transition rows), ROW_OFFSETS (policy rows), Q_OFFSETS, GAIN_OFFSETS.
   Options: GIVEN_UNIFORMS, take the random numbers from the caller, for a comparison with lpi number by number; STREAMS
   of xoshiro256++ (8; 1 is the usual program); NUMBER, the type of Q and its gains (double); HALVES, two random numbers
   of 32 bits from each of 64. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#define UNROLL _Pragma("GCC unroll 16")
#define LANES 64
#define PAIRS (2 * AGENTS)
#define MOST_ROWS (1L << (2 * (2 * KAPPA + 1)))
#define MOST_GAINS (1L << (2 * KAPPA))

static const int64_t near_offset[] = {NEAR_OFFSETS}, row_offset[] = {ROW_OFFSETS};
static const int64_t q_offset[] = {Q_OFFSETS}, gain_offset[] = {GAIN_OFFSETS};

static inline int low(int i, int hops) { return i > hops ? i - hops : 0; }
static inline int high(int i, int hops) { return i + hops < AGENTS ? i + hops : AGENTS - 1; }
static inline int members(int i, int hops) { return high(i, hops) - low(i, hops) + 1; }

/* Part of a word that belongs to the neighbourhood of agent i. */
static inline int64_t window(uint64_t word, int i, int hops, int bits) {
  return word >> (bits * (AGENTS - 1 - high(i, hops))) & ((1UL << (bits * members(i, hops))) - 1);
}

#ifndef STREAMS
#define STREAMS 8
#endif
#ifndef NUMBER
#define NUMBER double
#endif
#define BUFFER (64 * PAIRS)
typedef uint64_t words __attribute__((vector_size(8 * STREAMS)));
typedef int64_t integers __attribute__((vector_size(8 * STREAMS)));
typedef double doubles __attribute__((vector_size(8 * STREAMS)));
static words stream[4];
static double buffer[BUFFER];
static int used = BUFFER;

/* Start of the streams, from splitmix64. */
void seed(uint64_t value) {
  for (int k = 0; k < 4; k++)
    for (int s = 0; s < STREAMS; s++) {
      uint64_t z = value += 0x9e3779b97f4a7c15UL;
      z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
      z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
      stream[k][s] = z ^ z >> 31;
    }
  used = BUFFER;
}

static inline void keep(words word, double share, double *to) {
  doubles found = __builtin_convertvector((integers)word, doubles) * share;
  memcpy(to, &found, sizeof found);
}

__attribute__((unused)) static void refill(void) {
  words a = stream[0], b = stream[1], c = stream[2], d = stream[3];
  for (int at = 0; at < BUFFER;) {
    words shifted = b << 17, sum = a + d, word = (sum << 23 | sum >> 41) + a;
#ifdef HALVES
    keep(word >> 32, 0x1p-32, buffer + at), keep(word & 0xffffffff, 0x1p-32, buffer + at + STREAMS);
    at += 2 * STREAMS;
#else
    keep(word >> 11, 0x1p-53, buffer + at);
    at += STREAMS;
#endif
    c ^= a, d ^= b, b ^= c, a ^= d, c ^= shifted, d = d << 45 | d >> 19;
  }
  stream[0] = a, stream[1] = b, stream[2] = c, stream[3] = d;
  used = 0;
}

/* The next row of random numbers: states first, then actions. */
static inline const double *draw(const double **given) {
#ifdef GIVEN_UNIFORMS
  const double *row = *given;
  *given += PAIRS;
  return row;
#else
  if (used == BUFFER) refill();
  used += PAIRS;
  return buffer + used - PAIRS;
#endif
}

static inline uint64_t chosen(const double *u, const double *thresholds) {
  return (u[0] >= thresholds[0]) + (u[0] >= thresholds[1]) + (u[0] >= thresholds[2]);
}

/* Actions in state s; leaves each agent's policy row. */
static inline uint64_t act(const double *u, uint64_t s, const double *thresholds, int64_t *row) {
  uint64_t a = 0;
  UNROLL for (int i = 0; i < AGENTS; i++) {
    row[i] = row_offset[i] + window(s, i, KAPPA, 2);
    a |= (uint64_t)(u[AGENTS + i] >= thresholds[row[i]]) << (AGENTS - 1 - i);
  }
  return a;
}

/* Lines 2 to 5 of Algorithm 2 for every agent, in place on q; returns the sum of |TD error|.

   next: cumulative transition probabilities, 3 a row; start: those of rho, 3 an agent; thresholds: probability of action
   0 a policy row; rewards: r(s, a), 8 numbers; bonus: n tau times the entropy, a policy row; visited: a byte an entry. */
double learn(NUMBER *restrict q, uint8_t *restrict visited, const double *restrict next, const double *restrict start,
             const double *restrict thresholds, const double *restrict rewards, const double *restrict bonus,
             int64_t updates, const double *given) {
  double error = 0.0, reward[AGENTS];
  int64_t entry[AGENTS], row[AGENTS];
  for (int64_t done = 0; done < updates;) {
    const double *u = draw(&given);
    uint64_t s = 0, a;
    UNROLL for (int i = 0; i < AGENTS; i++) s = s << 2 | chosen(u + i, start + 3 * i);
    a = act(u, s, thresholds, row);
    UNROLL for (int i = 0; i < AGENTS; i++) {
      entry[i] = q_offset[i] + (window(s, i, KAPPA, 2) << members(i, KAPPA)) + window(a, i, KAPPA, 1);
      reward[i] = rewards[2 * window(s, i, 0, 2) + window(a, i, 0, 1)] + bonus[row[i]];
    }
    int64_t until = updates - done < EPISODE ? updates : done + EPISODE;
    for (; done < until; done++) {
      uint64_t following = 0;
      u = draw(&given);
      UNROLL for (int i = 0; i < AGENTS; i++) {
        int64_t at = near_offset[i] + 2 * window(s, i, 1, 2) + window(a, i, 0, 1);
        following = following << 2 | chosen(u + i, next + 3 * at);
      }
      s = following;
      a = act(u, s, thresholds, row);
      UNROLL for (int i = 0; i < AGENTS; i++) {
        int64_t to = q_offset[i] + (window(s, i, KAPPA, 2) << members(i, KAPPA)) + window(a, i, KAPPA, 1);
        double target = reward[i] + GAMMA * q[to], old = q[entry[i]];
        error += fabs(target - old);
        q[entry[i]] = (1.0 - ALPHA) * old + ALPHA * target;
        visited[entry[i]] = 1;
        entry[i] = to;
        reward[i] = rewards[2 * window(s, i, 0, 2) + window(a, i, 0, 1)] + bonus[row[i]];
      }
    }
  }
  return error;
}

/* Takes the bits of `word` that stand for the agents first..last out of a word over first_of_word..last_of_word, and
   puts them where a word over the neighbourhood of j has them; agents elsewhere have the default value 0. */
static inline int64_t moved(int64_t word, int last_of_word, int first, int last, int j, int bits) {
  int64_t part = word >> (bits * (last_of_word - last)) & ((1L << (bits * (last - first + 1))) - 1);
  return part << (bits * (high(j, KAPPA) - last));
}

/* A joint action of the others of i in first..last (i left out), as one of all in which i takes action 0. */
static inline int64_t with_own(int64_t others, int i, int last) {
  int64_t below = (1L << (last - i)) - 1;
  return (others & ~below) << 1 | (others & below);
}

/* Adds to sum, over the agents first..last, Q_j's gain of i's action 1 over 0, and what `held` has on a part of them. */
static void add(int i, int j, int first, int last, const NUMBER *restrict q, const NUMBER *restrict held, int held_first,
                int held_last, NUMBER *restrict sum) {
  int others = last - first, own = high(j, KAPPA) - i;
  int64_t at[MOST_GAINS], part[MOST_GAINS], width = 1L << others;
  for (int64_t k = 0; k < width; k++) {
    at[k] = moved(with_own(k, i, last), last, first, last, j, 1);
    int64_t above = k >> (last - i) & ((1L << (i - held_first)) - 1);
    int64_t below = (k & ((1L << (last - i)) - 1)) >> (last - held_last);
    part[k] = above << (held_last - i) | below;
  }
  for (int64_t r = 0; r < 1L << (2 * (last - first + 1)); r++) {
    const NUMBER *table = q + q_offset[j] + (moved(r, last, first, last, j, 2) << members(j, KAPPA));
    if (held_last < held_first) {
      for (int64_t k = 0; k < width; k++) sum[r * width + k] = table[at[k] + (1L << own)] - table[at[k]];
      continue;
    }
    int64_t held_row = r >> (2 * (last - held_last)) & ((1L << (2 * (held_last - held_first + 1))) - 1);
    const NUMBER *finished = held + (held_row << (held_last - held_first));
    for (int64_t k = 0; k < width; k++)
      sum[r * width + k] = table[at[k] + (1L << own)] - table[at[k]] + finished[part[k]];
  }
}

/* (11): the gains of action 1 over 0 of every agent, in blocks of LANES rows, a block as (others' actions, rows).

   Q_j is needed where N_j and N_i overlap: an interval that grows as j comes nearer, from both sides; sums of the
   farther ones are added to the nearer ones.  work: 4 MOST_ROWS MOST_GAINS numbers. */
void aggregate(const NUMBER *restrict q, NUMBER *restrict gains, NUMBER *restrict work) {
  const double share = 1.0 / AGENTS;
  for (int i = 0; i < AGENTS; i++) {
    int first = low(i, KAPPA), last = high(i, KAPPA), held_last = first - 1, held_first = last + 1;
    NUMBER *left = work, *right = work + 2 * MOST_ROWS * MOST_GAINS, *spare = work + MOST_ROWS * MOST_GAINS;
    NUMBER *other = right + MOST_ROWS * MOST_GAINS;
    for (int j = first; j < i; j++) {
      int to = high(j, KAPPA) < last ? high(j, KAPPA) : last;
      add(i, j, first, to, q, left, first, held_last, spare);
      NUMBER *swap = left;
      left = spare, spare = swap, held_last = to;
    }
    for (int j = last; j > i; j--) {
      int from = low(j, KAPPA) > first ? low(j, KAPPA) : first;
      add(i, j, from, last, q, right, held_first, last, other);
      NUMBER *swap = right;
      right = other, other = swap, held_first = from;
    }
    int64_t width = 1L << (last - first), rows = 1L << (2 * (last - first + 1));
    add(i, i, first, last, q, left, first, held_last, spare);
    int64_t part[MOST_GAINS];
    for (int64_t k = 0; k < width; k++) {
      int64_t above = k >> (last - i) & ((1L << (i - held_first > 0 ? i - held_first : 0)) - 1);
      part[k] = above << (last - i) | (k & ((1L << (last - i)) - 1));
    }
    for (int64_t begin = 0; begin < rows; begin += LANES) {
      int64_t lanes = rows - begin < LANES ? rows - begin : LANES;
      for (int64_t k = 0; k < width; k++)
        for (int64_t r = 0; r < lanes; r++) {
          double more = 0.0;
          if (held_first <= last) {
            int64_t row = (begin + r) & ((1L << (2 * (last - held_first + 1))) - 1);
            more = right[(row << (last - held_first)) + part[k]];
          }
          gains[gain_offset[i] + begin * width + k * lanes + r] = share * (spare[(begin + r) * width + k] + more);
        }
    }
  }
}

/* Without a call, so that loops over it are vectorised; |error| below 2 units in the last place, x in [-700, 700]. */
static inline double exponential(double x) {
  static const double c[] = {1.0, 1.0, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320,
                             1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
  double shifted = x * 1.44269504088896338700 + 0x1.8p52, k = shifted - 0x1.8p52, sum = c[13];
  double r = x - k * 6.93147180369123816490e-01 - k * 1.90821492927058770002e-10;
  UNROLL for (int d = 12; d >= 0; d--) sum = sum * r + c[d];
  int64_t bits;
  memcpy(&bits, &shifted, 8);
  bits = (bits + 1023) << 52;
  double power;
  memcpy(&power, &bits, 8);
  return sum * power;
}

static void policies(const double *restrict logits, double *restrict up, int64_t rows) {
  for (int64_t r = 0; r < rows; r++) {
    double x = -logits[r];
    x = x > 700.0 ? 700.0 : x < -700.0 ? -700.0 : x;
    up[r] = 1.0 / (1.0 + exponential(x));
  }
}

/* (12), `steps` times: logits (of action 1 over 0, a policy row) in place; up: the probabilities of action 1. */
void improve(const NUMBER *restrict gains, double *restrict logits, double *restrict up, int64_t steps) {
  const int64_t all = row_offset[AGENTS - 1] + (1L << (2 * members(AGENTS - 1, KAPPA)));
  policies(logits, up, all);
  for (int64_t step = 0; step < steps; step++) {
    UNROLL for (int i = 0; i < AGENTS; i++) {
      const int first = low(i, KAPPA), last = high(i, KAPPA);
      const int64_t rows = 1L << (2 * (last - first + 1));
      for (int64_t begin = 0; begin < rows; begin += LANES) {
        const int64_t lanes = rows < LANES ? rows : LANES;
        NUMBER work[MOST_GAINS * LANES / 2 + LANES];
        int64_t width = 1L << (last - first);
        const NUMBER *from = gains + gain_offset[i] + begin * width;
        for (int j = last; j >= first; j--) {
          if (j == i) continue;
          NUMBER weight[LANES];
          int from_j = low(j, KAPPA) > first ? low(j, KAPPA) : first, to_j = high(j, KAPPA) < last ? high(j, KAPPA) : last;
          for (int64_t r = 0; r < lanes; r++) weight[r] = up[row_offset[j] + moved(begin + r, last, from_j, to_j, j, 2)];
          width /= 2;
          for (int64_t k = 0; k < width; k++)
            for (int64_t r = 0; r < lanes; r++) {
              NUMBER base = from[2 * k * lanes + r];
              work[k * lanes + r] = base + weight[r] * (from[(2 * k + 1) * lanes + r] - base);
            }
          from = work;
        }
        double *at = logits + row_offset[i] + begin;
        for (int64_t r = 0; r < lanes; r++) at[r] = KEEP * at[r] + ETA * from[r];
      }
    }
    policies(logits, up, all);
  }
}

/* -sum_a p_a log p_a = log(1 + e^-x) + x p_smaller, x = |logit|; without a call, as `exponential`. */
static inline double entropy(double logit) {
  double x = logit < 0.0 ? -logit : logit, small = exponential(x > 700.0 ? -700.0 : -x);
  double z = small / (2.0 + small), square = z * z, sum = 0.0;  // log(1 + small) = 2 artanh z, z <= 1/3
  UNROLL for (int k = 33; k >= 1; k -= 2) sum = sum * square + 1.0 / k;
  return 2.0 * z * sum + x * small / (1.0 + small);
}

/* One outer loop of Algorithm 1 from the policy `up` with its logits: lines 2 to 5 of Algorithm 2, (11) and (12).
   thresholds and bonus: room for a number a policy row each; the others as above.  Returns the sum of |TD error|. */
double outer_loop(NUMBER *restrict q, uint8_t *restrict visited, const double *restrict next,
                  const double *restrict start, double *restrict thresholds, const double *restrict rewards,
                  double *restrict bonus, int64_t updates, const double *given, NUMBER *restrict gains,
                  NUMBER *restrict work, double *restrict logits, double *restrict up, int64_t steps) {
  const int64_t all = row_offset[AGENTS - 1] + (1L << (2 * members(AGENTS - 1, KAPPA)));
  for (int64_t r = 0; r < all; r++) thresholds[r] = 1.0 - up[r], bonus[r] = AGENTS * TAU * entropy(logits[r]);
  double error = learn(q, visited, next, start, thresholds, rewards, bonus, updates, given);
  aggregate(q, gains, work);
  improve(gains, logits, up, steps);
  return error;
}
