import { Dice } from './dice.ts'

/** What may go wrong. The rate of most is per call; of those that strike a process or the whole bank, per half second. */
export const faults = [
  'client_request_lost',
  'client_answer_lost',
  'database_refused',
  'database_answer_lost',
  'database_slow',
  'hint_refused',
  'hint_lost',
  'hint_doubled',
  'hint_late',
  'bank_unreachable',
  'bank_rate_limited',
  'bank_request_lost',
  'bank_request_late',
  'bank_request_doubled',
  'bank_answer_lost',
  'bank_answer_late',
  'bank_answer_wrong',
  'bank_rejects',
  'bank_refuses',
  'bank_takes',
  'bank_forgets',
  'bank_keeps_silent',
  'bank_returns',
  'bank_tells_early',
  'bank_contradicts',
  'bank_outage',
  'callback_lost',
  'callback_late',
  'callback_doubled',
  'statement_unavailable',
  'process_crash',
  'process_pause',
  'process_restart',
  'clock_skew'
] as const
export type Fault = (typeof faults)[number]

/** Everything that differs between two seeds before the first event. */
export interface Options {
  seed: number
  organizations: number
  workers: number
  lanes: number
  apis: number
  clients: number
  readers: number
  cancellers: number
  retriers: number
  bulks_per_client: number
  most_transfers: number
  chunk_size: number
  lease_ms: number
  poll_ms: number
  bank_timeout_ms: number
  /** How long a request or an answer is usually on its way, at most. */
  latency_ms: number
  bank_latency_ms: number
  /** The longest that the bank, or the way to it, sits on a payment before it is executed. */
  settlement_ms: number
  /** How long after the fact a line appears on the bank's statement. */
  statement_delay_ms: number
  reconcile_every_ms: number
  /** 0: the checker runs at the end only. */
  audit_every_ms: number
  safety_ms: number
  share_of_stop: number
  /** Money on the account for each bulk that will be submitted. */
  funds_minor_per_bulk: number
  idempotent_submit: boolean
  rates: Partial<Record<Fault, number>>
}

/** What the bank and the processes do in most seeds, since the rest of the story hangs on it. */
const usual: Fault[] = [
  'bank_rejects',
  'bank_refuses',
  'bank_takes',
  'bank_tells_early',
  'bank_returns',
  'bank_answer_lost',
  'process_pause'
]

/** The options of a seed: some of the faults, each with a rate of its own, so that no fault hides another. */
export function drawOptions(seed: number): Options {
  const dice = new Dice(seed)
  const lease_ms = dice.pick([1_500, 3_000, 6_000])
  const bank_timeout_ms = dice.pick([600, 1_200, 4_200])
  const idempotent_submit = dice.chance(0.7)
  const rates: Options['rates'] = {}
  const share = dice.pick([0, 0.1, 0.2, 0.4, 0.4, 0.6])
  for (const fault of faults) {
    const often = usual.includes(fault)
    if (dice.chance(often ? 0.6 : share)) rates[fault] = dice.pick(often ? [0.1, 0.2, 0.4] : [0.02, 0.1, 0.3])
  }
  // It needs a bank that tells by itself, so it happens in many worlds.
  if (dice.chance(0.4)) rates.bank_contradicts = 0.3
  // What the network doubles, a bank that is not idempotent pays twice, and nobody on our side can help it.
  if (!idempotent_submit) delete rates.bank_request_doubled
  return {
    seed,
    organizations: dice.pick([1, 1, 2]),
    workers: dice.pick([1, 2, 2, 3]),
    lanes: dice.between(1, 2),
    apis: dice.between(1, 2),
    clients: dice.between(1, 2),
    readers: dice.between(0, 1),
    cancellers: dice.between(0, 1),
    retriers: dice.between(0, 1),
    bulks_per_client: dice.between(1, 2),
    most_transfers: dice.pick([3, 8, 12, 16]),
    chunk_size: dice.pick([1, 1, 2, 4]),
    lease_ms,
    poll_ms: dice.pick([1_000, 2_500, 5_000]),
    bank_timeout_ms,
    latency_ms: dice.pick([4, 100, 400]),
    // There and back within the timeout: a bank that is well answers.
    bank_latency_ms: dice.pick([4, 100, bank_timeout_ms / 3]),
    settlement_ms: 5_000 + 2 * lease_ms,
    statement_delay_ms: dice.pick([0, 0, 20_000]),
    reconcile_every_ms: dice.pick([4_000, 10_000]),
    audit_every_ms: dice.pick([0, 0, 0, 10_000]),
    safety_ms: dice.pick([8_000, 15_000, 30_000]),
    share_of_stop: dice.pick([0, 0.5, 1, 1]),
    funds_minor_per_bulk: dice.pick([300, 100_000, 100_000]),
    idempotent_submit,
    rates
  }
}
