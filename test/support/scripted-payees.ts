import type { Payee, PayeeAnswer, PayeeCheck, PayeeResult } from '../../src/banking/payee-check.ts'

export interface ScriptedPayees extends PayeeCheck {
  /** Every call: whom it asked about. */
  calls: Payee[][]
}

/** A payee check in this process: the name of a payee is its result; every other name matches. */
export function createScriptedPayees(): ScriptedPayees {
  const calls: Payee[][] = []
  return {
    calls,
    verify(payees) {
      calls.push(payees)
      return Promise.resolve(payees.map(({ name }) => answer(name)))
    },
    close: () => Promise.resolve()
  }
}

const results = new Set<string>(['match', 'close-match', 'no-match', 'not-possible'] satisfies PayeeResult[])

function answer(name: string): PayeeAnswer {
  const result = results.has(name) ? (name as PayeeResult) : 'match'
  return { result, suggested_name: result === 'close-match' ? 'Jane Doe-Smith' : null }
}
