import type { BankConnector, PaymentOrder } from '../src/banking/connector.ts'
import { formatAmount } from '../src/domain/money.ts'

export interface InstantBank extends BankConnector {
  executed: Map<string, PaymentOrder>
}

/** A bank in this process that executes everything at once: what is left is the cost of Bulkhead itself. */
export function createInstantBank(): InstantBank {
  const executed = new Map<string, PaymentOrder>()
  return {
    executed,
    abilities: { idempotent_submit: true, settlement_window_ms: 0 },
    submit: (order) => {
      executed.set(order.reference, order)
      return Promise.resolve({ outcome: 'executed' })
    },
    inquire: (order) =>
      Promise.resolve({ outcome: executed.has(order.reference) ? 'executed' : 'not-found' }),
    readStatement: () => Promise.resolve({ outcome: 'unavailable', cause: 'no statement' }),
    ping: () => Promise.resolve(true),
    close: () => Promise.resolve()
  }
}

/** The log of the instant bank, for the checker. */
export async function* logOf(bank: InstantBank) {
  for (const order of bank.executed.values())
    yield await Promise.resolve({
      reference: order.reference,
      amount: formatAmount(order.amount_minor, order.currency),
      currency: order.currency,
      counterparty_iban: order.counterparty_iban
    })
}
