import type { IncomingMessage } from 'node:http'
import { problem, type Answer } from './answer.ts'
import { findPayeeScenario, payeeScenarios, type PayeeScenario } from './payee-scenarios.ts'
import { isObject } from './payment-order.ts'
import { readBody } from './read-body.ts'

const MOST_PAYEES = 100

interface Payee {
  readonly name: string
  readonly iban: string
}

/** Answers POST /payee-verifications: one result for each payee, in their order, unless a payee's scenario spoils it. */
export async function verifyPayees(request: IncomingMessage): Promise<Answer> {
  const body = await readBody(request)
  if (body.outcome === 'refused') return body.answer
  const payees = isObject(body.json) ? body.json.payees : undefined
  if (!Array.isArray(payees) || payees.length > MOST_PAYEES || !payees.every(isPayee)) {
    const details = `payees must be a list of at most ${MOST_PAYEES}, each { name, iban, bic }.`
    return problem(422, 'invalid-payees', details)
  }
  const scenarios = payees.map(({ iban }) => findPayeeScenario(iban))
  const truth = {
    status: 200,
    body: { results: payees.flatMap((payee, nr) => present(payee, scenarios[nr])) }
  }
  return spoil(truth, scenarios)
}

function isPayee(value: unknown): value is Payee {
  return isObject(value) && ['name', 'iban', 'bic'].every((key) => isText(value[key]))
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value.length >= 1 && value.length <= 140
}

function present({ iban }: Payee, scenario: PayeeScenario | undefined): object[] {
  switch (scenario?.says.kind) {
    case 'lose':
      return []
    case 'mistake':
      return [{ iban: 'DE09000000000000000001', result: 'MATCH' }]
    case 'answer': {
      const { result, matched_name } = scenario.says
      return [{ iban, result, ...(matched_name === undefined ? {} : { matched_name }) }]
    }
    default:
      return [{ iban, result: 'MATCH' }]
  }
}

/** What one payee does to the call, the call does to all who are in it. */
function spoil(truth: Answer, scenarios: (PayeeScenario | undefined)[]): Answer {
  for (const scenario of scenarios) {
    const says = scenario?.says
    if (says === undefined || ['answer', 'lose', 'mistake'].includes(says.kind)) continue
    return says.kind === 'replace' ? says : { ...truth, fault: says as Answer['fault'] & object }
  }
  return truth
}

/** Every payee that stands for something, and what a client has to make of it. */
export function listPayeeScenarios(): Answer {
  return { status: 200, body: payeeScenarios.map((scenario) => ({ ...scenario, says: undefined })) }
}
