import { defaultMaxViolations, type Verification } from './verify.ts'
import { invariants, type Invariant } from './violation.ts'

/** Where to write to: a terminal, or anything else, which gets no control characters. */
export interface Output {
  isTTY?: boolean
  write(text: string): unknown
}

/** Writes what was checked, a line for each invariant, each violation and the verdict. */
export function printVerdict(verification: Verification, output: Output = process.stdout): void {
  const { violations } = verification
  const lines = [
    describeChecked(verification),
    '',
    ...(Object.keys(invariants) as Invariant[]).map((invariant) =>
      describeInvariant(invariant, violations.filter((violation) => violation.invariant === invariant).length)
    ),
    '',
    ...violations.map(({ invariant, subject, details }) => `${invariant}  ${subject}: ${details}`),
    ...(violations.length > 0 ? [''] : []),
    describeVerdict(violations.length),
    ''
  ]
  output.write(mayControl(output) ? lines.map(colour).join('\n') : lines.join('\n'))
}

function describeChecked({ checked, duration_ms }: Verification): string {
  const count = (number: number, name: string) =>
    `${number.toLocaleString('en')} ${name}${number === 1 ? '' : 's'}`
  const what = [
    count(checked.organizations, 'organization'),
    count(checked.accounts, 'account'),
    count(checked.bulks, 'bulk'),
    count(checked.transfers, 'transfer'),
    count(checked.postings, 'posting')
  ]
  const payments = count(checked.bank_payments, 'bank payment')
  return `Checked ${what.join(', ')} and ${payments} in ${(duration_ms / 1000).toFixed(1)} s`
}

function describeInvariant(invariant: Invariant, count: number): string {
  return count === 0
    ? `✓ ${invariant}  ${invariants[invariant]}`
    : `✗ ${invariant}  ${invariants[invariant]} (violations: ${count})`
}

function describeVerdict(count: number): string {
  if (count === 0) return 'Verdict: clean'
  const most = count >= defaultMaxViolations ? ' at least' : ''
  return `Verdict:${most} ${count} ${count === 1 ? 'violation' : 'violations'}`
}

function colour(line: string): string {
  if (line.startsWith('✓') || line === 'Verdict: clean') return `\x1b[32m${line}\x1b[39m`
  return line.startsWith('✗') || line.startsWith('Verdict:') ? `\x1b[31m${line}\x1b[39m` : line
}

/** Shows on a terminal what a long run is at; elsewhere it stays silent. */
export function showProgress(output: Output): { tell: (step: string) => void; end: () => void } {
  if (!mayControl(output)) return { tell: () => undefined, end: () => undefined }
  return {
    tell: (step) => void output.write(`\r\x1b[2KVerifying: ${step}`),
    end: () => void output.write('\r\x1b[2K')
  }
}

function mayControl(output: Output): boolean {
  return output.isTTY === true && (process.env['NO_COLOR'] ?? '') === ''
}
