import { isDeepStrictEqual } from 'node:util'
import type { BankAnswer, PaymentOrder, StatementPage } from '../../src/banking/connector.ts'
import { formatAmount } from '../../src/domain/money.ts'
import type { BankLog } from '../../src/verification/bank-log.ts'
import type { World } from './world.ts'

interface Payment {
  order: PaymentOrder
  receivedMs: number
  /** What the bank says of it, on and on if it is silent. */
  answer: BankAnswer
  silent: boolean
}

/**
 * The bank itself, with its own book. It may be away, limit, refuse, reject, take its time, keep silent or look at an
 * old copy of its book; but a payment that has ended has ended, what it refused unseen it never executes, and (if it is
 * idempotent) a reference is paid once. It watches its client: one reference always comes with one order.
 */
export class SimulatedBank implements BankLog {
  /** What came back of executed payments, by reference. */
  readonly returns = new Map<string, bigint>()
  readonly #world: World
  readonly #book = new Map<string, Payment>()
  readonly #refused = new Set<string>()
  readonly #executed: PaymentOrder[] = []
  #comingBack = 0
  #awayUntilMs = 0
  #awayAnswer: BankAnswer = { outcome: 'unknown', cause: 'http-500' }

  constructor(world: World) {
    this.#world = world
  }

  /** What a request does when it arrives, and the answer that leaves. */
  receive(kind: 'submit' | 'inquire', order: PaymentOrder): BankAnswer {
    const answer = this.#answer(kind, order)
    this.#tell(`${kind} ${shorten(order.reference)} ${order.amount_minor}: ${answer.outcome}`)
    return this.#world.strikes('bank_answer_wrong') ? { outcome: 'unknown', cause: 'nonsense' } : answer
  }

  readStatement(cursor: string | null): StatementPage {
    if (this.#isAway || this.#world.strikes('statement_unavailable'))
      return { outcome: 'unavailable', cause: 'http-503' }
    return this.#world.statement.read(cursor)
  }

  /** Whether it has ever taken this payment. */
  knows(reference: string): boolean {
    return this.#book.has(reference)
  }

  /** Whether it never tells what becomes of this payment. */
  keepsSilentAbout(reference: string): boolean {
    return this.#book.get(reference)?.silent ?? false
  }

  /** Whether all returns that it has in mind have been made. */
  get hasReturnedAll(): boolean {
    return this.#comingBack === 0
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
    for (const order of this.#executed) yield { reference: order.reference, ...paymentOf(order) }
  }

  get #isAway(): boolean {
    return this.#world.timeline.nowMs < this.#awayUntilMs
  }

  #answer(kind: 'submit' | 'inquire', order: PaymentOrder): BankAnswer {
    const { dice, options, timeline } = this.#world
    if (this.#isAway) return this.#awayAnswer
    if (this.#world.strikes('bank_rate_limited'))
      return { outcome: 'not-accepted', cause: 'http-429', retry_after_ms: dice.between(0, 5_000) }
    const known = this.#book.get(order.reference)
    if (known !== undefined && !isDeepStrictEqual(known.order, order))
      this.#world.fail(`${order.reference} came to the bank as two different orders`)
    if (kind === 'submit') {
      if (this.#refuses(order.reference))
        return { outcome: 'refused', code: 'AC01', message: 'no such payee' }
      if (known !== undefined && options.idempotent_submit) return known.answer
      return this.#accept(order)
    }
    if (known === undefined) return { outcome: 'not-found' }
    const isNew = timeline.nowMs - known.receivedMs < options.settlement_ms
    return isNew && this.#world.strikes('bank_forgets') ? { outcome: 'not-found' } : known.answer
  }

  /** For good what it does not know; of what it knows only this call, which says nothing about the one before. */
  #refuses(reference: string): boolean {
    if (this.#refused.has(reference)) return true
    if (!this.#world.strikes('bank_refuses')) return false
    if (!this.#book.has(reference)) this.#refused.add(reference)
    return true
  }

  #accept(order: PaymentOrder): BankAnswer {
    const { dice, options, timeline } = this.#world
    const payment: Payment = {
      order,
      receivedMs: timeline.nowMs,
      answer: { outcome: 'taken' },
      silent: this.#world.strikes('bank_keeps_silent')
    }
    this.#book.set(order.reference, payment)
    if (payment.silent)
      payment.answer = dice.pick<BankAnswer>([
        { outcome: 'taken' },
        { outcome: 'unknown', cause: 'http-500' }
      ])
    else if (this.#world.strikes('bank_takes'))
      timeline.after(dice.between(0, options.settlement_ms), () => {
        this.#decide(payment)
        this.#announce(payment)
      })
    else {
      this.#decide(payment)
      if (this.#world.strikes('bank_tells_early')) this.#announce(payment)
    }
    return payment.answer
  }

  #decide(payment: Payment): void {
    const { order } = payment
    if (this.#happens('bank_rejects')) {
      payment.answer = { outcome: 'rejected', code: this.#world.dice.pick(['AC04', 'MS03']), message: 'no' }
      return
    }
    payment.answer = { outcome: 'executed' }
    if (this.#executed.some(({ reference }) => reference === order.reference))
      this.#world.fail(`the bank executed ${order.reference} twice`)
    this.#executed.push(order)
    this.#world.statement.book({ kind: 'DEBIT', ...toldOf(order), reason_code: null, reason: null })
    if (this.#happens('bank_returns')) this.#planReturn(order)
  }

  /** What is nobody's fault happens as well when all is well again. */
  #happens(what: 'bank_rejects' | 'bank_returns'): boolean {
    return this.#world.dice.chance(this.#world.options.rates[what] ?? 0)
  }

  #announce({ order, answer }: Payment): void {
    const { callbacks, dice } = this.#world
    const told = toldOf(order)
    const notice =
      answer.outcome === 'rejected'
        ? { ...told, status: 'REJECTED' as const, reason_code: answer.code, reason: answer.message }
        : { ...told, status: 'EXECUTED' as const, reason_code: null, reason: null }
    if (!this.#world.strikes('bank_contradicts')) callbacks.tell(notice)
    else if (notice.status === 'EXECUTED') callbacks.contradict(notice, 'REJECTED')
    else callbacks.contradict(notice, dice.pick(['EXECUTED', 'RETURNED']))
  }

  /** All of it or a part; told by callbacks from never to three times, and always by the statement. */
  #planReturn(order: PaymentOrder): void {
    const { callbacks, dice, statement, timeline } = this.#world
    const share = dice.chance(0.5) ? order.amount_minor : BigInt(dice.between(1, Number(order.amount_minor)))
    const notice = {
      ...toldOf(order),
      status: 'RETURNED' as const,
      amount: formatAmount(share, order.currency),
      reason_code: 'AC04',
      reason: 'the account is closed'
    }
    this.#comingBack += 1
    timeline.after(dice.between(0, 15_000), () => {
      this.#comingBack -= 1
      this.#tell(`returns ${share} of ${shorten(order.reference)}`)
      this.returns.set(order.reference, share)
      const { status, ...line } = notice
      statement.book({ kind: 'RETURN', ...line })
      for (let times = dice.between(0, 3); times > 0; times--) callbacks.tell({ ...line, status })
    })
  }

  #tell(what: string): void {
    this.#world.timeline.tell('bank', what)
  }
}

const shorten = (reference: string) => reference.slice(20)

function paymentOf({ amount_minor, currency, counterparty_iban }: PaymentOrder) {
  return { amount: formatAmount(amount_minor, currency), currency, counterparty_iban }
}

function toldOf(order: PaymentOrder) {
  return { reference: order.reference, ...paymentOf(order) }
}
