import { isDeepStrictEqual } from 'node:util'
import type { BankAnswer, PaymentOrder } from '../../src/banking/connector.ts'
import { formatAmount } from '../../src/domain/money.ts'
import type { BankLog } from '../../src/verification/bank-log.ts'
import type { World } from './world.ts'

interface Payment {
  order: PaymentOrder
  receivedMs: number
  answer: BankAnswer
}

/**
 * The bank itself, with its own book. It may be away, limit, reject, take its time or look at an old copy of its
 * book; but a payment that has ended has ended, and (if it is idempotent) a reference is paid once. It watches its
 * client: one reference always comes with one order.
 */
export class SimulatedBank implements BankLog {
  readonly #world: World
  readonly #book = new Map<string, Payment>()
  readonly #executed: PaymentOrder[] = []
  #awayUntilMs = 0
  #awayAnswer: BankAnswer = { outcome: 'unknown', cause: 'http-500' }

  constructor(world: World) {
    this.#world = world
  }

  /** What a request does when it arrives, and the answer that leaves. */
  receive(kind: 'submit' | 'inquire', order: PaymentOrder): BankAnswer {
    const answer = this.#answer(kind, order)
    const shortened = order.reference.slice(20)
    this.#tell(`${kind} ${shortened} ${order.amount_minor}: ${answer.outcome}`)
    return this.#world.strikes('bank_answer_wrong') ? { outcome: 'unknown', cause: 'nonsense' } : answer
  }

  knows(reference: string): boolean {
    return this.#book.has(reference)
  }

  goAway(ms: number): void {
    const { dice, timeline } = this.#world
    this.#awayUntilMs = timeline.nowMs + ms
    this.#awayAnswer = dice.pick<BankAnswer>([
      { outcome: 'unknown', cause: 'http-500' },
      { outcome: 'not-accepted', cause: 'http-503' }
    ])
    this.#tell(`is away for ${ms} ms (${this.#awayAnswer.outcome})`)
  }

  comeBack(): void {
    this.#awayUntilMs = 0
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async *payments() {
    for (const order of this.#executed)
      yield {
        reference: order.reference,
        amount: formatAmount(order.amount_minor, order.currency),
        currency: order.currency,
        counterparty_iban: order.counterparty_iban
      }
  }

  #answer(kind: 'submit' | 'inquire', order: PaymentOrder): BankAnswer {
    const { dice, options, timeline } = this.#world
    if (timeline.nowMs < this.#awayUntilMs) return this.#awayAnswer
    if (this.#world.strikes('bank_rate_limited'))
      return { outcome: 'not-accepted', cause: 'http-429', retry_after_ms: dice.between(0, 5_000) }
    const known = this.#book.get(order.reference)
    if (known !== undefined && !isDeepStrictEqual(known.order, order))
      this.#world.fail(`${order.reference} came to the bank as two different orders`)
    if (kind === 'submit') {
      if (known !== undefined && options.idempotent_submit) return known.answer
      return this.#accept(order)
    }
    if (known === undefined) return { outcome: 'not-found' }
    const isNew = timeline.nowMs - known.receivedMs < options.settlement_ms
    return isNew && this.#world.strikes('bank_forgets') ? { outcome: 'not-found' } : known.answer
  }

  #accept(order: PaymentOrder): BankAnswer {
    const { dice, options, timeline } = this.#world
    const payment: Payment = { order, receivedMs: timeline.nowMs, answer: { outcome: 'taken' } }
    this.#book.set(order.reference, payment)
    if (this.#world.strikes('bank_takes'))
      timeline.after(dice.between(0, options.settlement_ms), () => this.#decide(payment))
    else this.#decide(payment)
    return payment.answer
  }

  #decide(payment: Payment): void {
    const { order } = payment
    if (this.#world.strikes('bank_rejects')) {
      payment.answer = { outcome: 'rejected', code: this.#world.dice.pick(['AC04', 'MS03']), message: 'no' }
      return
    }
    payment.answer = { outcome: 'executed' }
    if (this.#executed.some(({ reference }) => reference === order.reference))
      this.#world.fail(`the bank executed ${order.reference} twice`)
    this.#executed.push(order)
  }

  #tell(what: string): void {
    this.#world.timeline.tell('bank', what)
  }
}
