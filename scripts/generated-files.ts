import { makeContext } from '../src/cli/make-context.ts'
import { reasonCodes } from '../src/domain/reason-code.ts'
import { reasons } from '../src/domain/problem.ts'
import { describeApi } from '../src/http/describe-api.ts'
import { payeeScenarios } from '../src/sandbox-bank/payee-scenarios.ts'
import { scenarios } from '../src/sandbox-bank/scenarios.ts'
import { readSettings, settingsSchema } from '../src/settings.ts'
import { createLog } from '../src/telemetry/log.ts'
import { makeDashboard } from './dashboard.ts'
import { envExample } from './env-example.ts'
import { metricsTable } from './metrics-table.ts'

/** Every file that is made from the code, by its path. A test compares them with what is committed. */
export async function generateFiles(): Promise<Record<string, string>> {
  return {
    'openapi.json': await openApi(),
    'docs/configuration.md': configuration(),
    'docs/problems.md': problems(),
    'docs/scenarios.md': scenarioTable(),
    'docs/metrics.md': notice + metricsTable(),
    'ops/grafana/bulkhead.json': `${JSON.stringify(makeDashboard(), null, 2)}\n`,
    '.env.example': envExample()
  }
}

const notice = '<!-- Made from the code by `npm run generate`; do not edit. -->\n\n'

async function openApi(): Promise<string> {
  const read = readSettings({})
  if (read.outcome === 'invalid') throw new Error(read.errors.join('; '))
  // Nothing of this context is ever connected to.
  const context = makeContext(read.settings, createLog('silent'), {
    databaseUrl: 'postgres://localhost/none',
    bankUrl: 'http://localhost:1'
  })
  return `${JSON.stringify(await describeApi(context), null, 2)}\n`
}

function configuration(): string {
  const rows = Object.entries(settingsSchema.shape).map(([name, schema]) => {
    const fallback = schema.safeParse(undefined)
    const shown = fallback.success && fallback.data !== undefined ? `\`${fallback.data}\`` : ''
    return `| \`${name}\` | ${shown} | ${schema.description ?? ''} |`
  })
  return `${notice}# Configuration

Settings are environment variables. All are checked at the start, and everything that is wrong is told at once.

| variable | default | meaning |
|---|---|---|
${rows.join('\n')}
`
}

function problems(): string {
  const reasonRows = Object.entries(reasons).map(
    ([reason, { status, title, mend }]) => `| \`${reason}\` | ${status} | ${title} | ${mend} |`
  )
  const codeRows = Object.entries(reasonCodes).map(
    ([code, { message, retryable }]) => `| \`${code}\` | ${message} | ${retryable ? 'yes' : 'no'} |`
  )
  return `${notice}# Problems

Every refusal, whatever its cause, has the same body: \`application/problem+json\` (RFC 9457), with the reason in
\`error.reason\` and, where single things are wrong, all of them in \`errors\` with a JSON pointer, the index of the
transfer and what to do.

| reason | status | meaning | what to do |
|---|---|---|---|
${reasonRows.join('\n')}

# Reason codes of failed transfers

A transfer that a bank rejected is \`FAILED\` and says why in \`failure.code\` (ISO 20022 external status reason codes).

| code | meaning | can a retry help |
|---|---|---|
${codeRows.join('\n')}
`
}

function scenarioTable(): string {
  const rows = scenarios.map(
    ({ scenario, counterparty_iban, expected_status, expected_reason, description }) =>
      `| ${scenario} | \`${counterparty_iban}\` | ${description} | \`${expected_status}\`${expected_reason === undefined ? '' : ` \`${expected_reason}\``} |`
  )
  const payeeRows = payeeScenarios.map(
    ({ scenario, counterparty_iban, expected_result, description }) =>
      `| ${scenario} | \`${counterparty_iban}\` | ${description} | \`${expected_result}\` |`
  )
  return `${notice}# Scenarios of the sandbox bank

The \`counterparty_iban\` of a payment chooses what [the sandbox bank](sandbox-bank.md) does with it; every other IBAN is
executed at once. The last column is the status in which a correct payment engine ends the transfer. The account
number's thousands tell the kind: 1 to 6 are rejections (AC, AM, AG, RC, RR, MS); 7: the first submission does
nothing; 8: executed at once, and badly answered; 9: told later, otherwise, or never.

| scenario | counterparty_iban | what happens | ends |
|---|---|---|---|
${rows.join('\n')}

# Scenarios of the payee check

The IBAN also chooses what [the payee check](payee-check.md) says. A payment to any of these payees is executed at once.
Who spoils a call spoils it for all payees in it, up to 100.

| scenario | counterparty_iban | what happens | result |
|---|---|---|---|
${payeeRows.join('\n')}
`
}
