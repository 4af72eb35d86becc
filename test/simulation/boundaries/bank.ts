import type {
  BankAnswer,
  BankConnector,
  PaymentOrder,
  StatementPage
} from '../../../src/banking/connector.ts'
import type { Process } from '../process.ts'
import type { World } from '../world.ts'

/** The simulated bank over a bad network, as a connector that never throws and gives up after its timeout. */
export function connectToBank(world: World, process: Process): BankConnector {
  const call = (kind: 'submit' | 'inquire') => (order: PaymentOrder) => {
    if (kind === 'submit' && !world.stops.mayBeSent(order.reference))
      world.fail(`${order.reference} was sent although its bulk had been stopped`)
    return overNetwork(world, process, () => {
      const answer = world.bank.receive(kind, order)
      // A refusal is the bank's word about every copy of a request: without that, none could be believed.
      if (answer.outcome !== 'not-accepted') receiveAgain(world, kind, order)
      return answer
    })
  }
  const { idempotent_submit, settlement_ms, bank_timeout_ms } = world.options
  return {
    abilities: {
      idempotent_submit,
      // Late on the way, and then not found for as long in an old copy of the book.
      settlement_window_ms: 2 * (settlement_ms + bank_timeout_ms)
    },
    readStatement: (cursor) => readStatement(world, process, cursor),
    submit: call('submit'),
    inquire: call('inquire'),
    ping: () => Promise.resolve(true),
    close: () => Promise.resolve()
  }
}

/** A copy of the request that the network made, and whose answer nobody reads. */
function receiveAgain(world: World, kind: 'submit' | 'inquire', order: PaymentOrder): void {
  if (!world.strikes('bank_request_doubled')) return
  const afterMs = world.dice.between(0, world.options.settlement_ms)
  world.timeline.after(afterMs, () => void world.bank.receive(kind, order))
}

function overNetwork(world: World, process: Process, perform: () => BankAnswer): Promise<BankAnswer> {
  const { dice, options } = world
  const usualMs = () => dice.between(0, options.bank_latency_ms)
  const leftWith = (afterMs: number, result: BankAnswer) => ({ afterMs, result })
  if (world.strikes('bank_unreachable')) {
    const refused = leftWith(usualMs(), { outcome: 'not-accepted', cause: 'ECONNREFUSED' })
    return process.call({ arrivesMs: null, perform, answerMs: null, otherwise: refused })
  }
  const lateMs = world.strikes('bank_request_late') ? dice.between(0, options.settlement_ms) : 0
  const arrivesMs = world.strikes('bank_request_lost') ? null : usualMs() + lateMs
  const timeout = leftWith(options.bank_timeout_ms, { outcome: 'unknown', cause: 'timeout' })
  if (world.strikes('bank_answer_lost')) {
    const reset = leftWith(usualMs(), { outcome: 'unknown', cause: 'reset' })
    return process.call({ arrivesMs, perform, answerMs: null, otherwise: dice.pick([timeout, reset]) })
  }
  const answerLateMs = world.strikes('bank_answer_late') ? dice.between(0, 2 * options.bank_timeout_ms) : 0
  return process.call({ arrivesMs, perform, answerMs: usualMs() + answerLateMs, otherwise: timeout })
}

function readStatement(world: World, process: Process, cursor: string | null): Promise<StatementPage> {
  const { bank_latency_ms, bank_timeout_ms } = world.options
  const arrivesMs = world.strikes('bank_unreachable') ? null : world.dice.between(0, bank_latency_ms)
  const answerMs = world.strikes('bank_answer_lost') ? null : world.dice.between(0, bank_latency_ms)
  const unavailable: StatementPage = { outcome: 'unavailable', cause: 'timeout' }
  const otherwise = { afterMs: bank_timeout_ms, result: unavailable }
  return process.call({ arrivesMs, perform: () => world.bank.readStatement(cursor), answerMs, otherwise })
}
