import { isDeepStrictEqual } from 'node:util'
import type { BankAnswer, BankConnector, PaymentOrder } from '../../src/banking/connector.ts'
import { formatAmount } from '../../src/domain/money.ts'

export interface ScriptedBank extends BankConnector {
  /** Every payment that this bank executed, by reference. */
  executed: Map<string, PaymentOrder>
  /** Every payment that this bank was told of, by reference. */
  orders: Map<string, PaymentOrder>
  /** Every call, in order. */
  calls: { kind: 'submit' | 'inquire'; reference: string }[]
  /** Says what becomes of a payment; the default executes it. May wait. */
  script: (
    order: PaymentOrder,
    kind: 'submit' | 'inquire'
  ) => Promise<BankAnswer | 'execute'> | BankAnswer | 'execute'
}

/** A bank in this process that is idempotent by reference and answers as a test wants it to. */
export function createScriptedBank(abilities: Partial<BankConnector['abilities']> = {}): ScriptedBank {
  const bank: ScriptedBank = {
    abilities: { idempotent_submit: true, settlement_window_ms: 60_000, ...abilities },
    executed: new Map(),
    orders: new Map(),
    calls: [],
    script: () => 'execute',
    submit: (order) => answer('submit', order),
    inquire: (order) => answer('inquire', order),
    readStatement: () => Promise.resolve({ outcome: 'unavailable', cause: 'no statement' }),
    ping: () => Promise.resolve(true),
    close: () => Promise.resolve()
  }

  async function answer(kind: 'submit' | 'inquire', order: PaymentOrder): Promise<BankAnswer> {
    bank.calls.push({ kind, reference: order.reference })
    bank.orders.set(order.reference, order)
    const scripted = await bank.script(order, kind)
    if (scripted !== 'execute') return scripted
    const known = bank.executed.get(order.reference)
    if (known === undefined && kind === 'inquire') return { outcome: 'not-found' }
    if (known !== undefined && !isDeepStrictEqual(known, order))
      return { outcome: 'unknown', cause: 'answer-about-another-payment' }
    bank.executed.set(order.reference, order)
    return { outcome: 'executed' }
  }

  return bank
}

/** The bank's log as the checker reads it. */
export function logOf(bank: ScriptedBank) {
  return [...bank.executed.values()].map((order) => ({
    reference: order.reference,
    amount: formatAmount(order.amount_minor, order.currency),
    currency: order.currency,
    counterparty_iban: order.counterparty_iban
  }))
}
