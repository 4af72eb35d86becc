import {
  bicFaults,
  findBicFault,
  findIbanFault,
  findStrangeCharacter,
  ibanFaults,
  normaliseBic,
  normaliseIban
} from '../domain/account-number.ts'
import { belongTogether, isInSepa } from '../domain/countries.ts'
import { formatAmount, isCurrency, maxAmountMinor, parseAmount } from '../domain/money.ts'
import type { ErrorItem, Reason } from '../domain/problem.ts'
import { toSepaText } from '../domain/sepa-text.ts'
import { describeCharacter } from '../domain/text.ts'
import { type BulkRequest, clientTransferId, sentLengths } from './bulk-request.ts'
import { normaliseTransfer, type StoredTransfer } from './normalise-bulk.ts'

/** What is done about an IBAN or a BIC that is not right: strict refuses it; lenient, as the seed did, lets it pass. */
export type Strictness = 'strict' | 'lenient'

export interface Fault {
  reason: Reason
  item: ErrorItem
}

/** Everything that was found: what refuses the bulk, and what is only told. */
export interface Findings {
  profile: Strictness
  duplicates: 'warn' | 'reject' | 'off'
  faults: Fault[]
  warnings: ErrorItem[]
}

type Transfer = BulkRequest['credit_transfers'][number]

/** Checks every transfer by itself and beside the others of the bulk, and normalises it. Finds all there is to find. */
export function validateTransfers(
  request: BulkRequest,
  findings: Findings
): { transfers: StoredTransfer[]; total: bigint } {
  const payer = normaliseIban(request.organization_iban)
  const firstIds = new Map<string, number>()
  let total = 0n
  const transfers = request.credit_transfers.map((transfer, index) => {
    const place = { transfer, index, findings }
    const amount = validateAmount(place)
    total += amount
    const bic = normaliseBic(transfer.counterparty_bic)
    const iban = normaliseIban(transfer.counterparty_iban)
    validateAccount(place, iban, bic)
    if (iban === payer) report(place, 'same-account-transfer', 'counterparty_iban', sameAccount)
    validateText(place, 'counterparty_name')
    validateText(place, 'description')
    validateClientTransferId(place, firstIds)
    return normaliseTransfer(transfer, amount, bic, iban)
  })
  return { transfers, total }
}

/** Where something is found, and where it is reported. */
interface Place {
  transfer: Transfer
  index: number
  findings: Findings
}

type Finding = readonly [code: string, detail: string]

function makeItem({ transfer, index }: Place, field: keyof Transfer, [code, detail]: Finding): ErrorItem {
  const pointer = `/credit_transfers/${index}/${field}`
  return { pointer, index, ...clientTransferId(transfer), code, detail }
}

function report(place: Place, reason: Reason, field: keyof Transfer, finding: Finding): void {
  place.findings.faults.push({ reason, item: makeItem(place, field, finding) })
}

function warn(place: Place, field: keyof Transfer, finding: Finding): void {
  place.findings.warnings.push(makeItem(place, field, finding))
}

function validateAmount(place: Place): bigint {
  const { amount, currency } = place.transfer
  const supported = isCurrency(currency)
  if (!supported)
    report(place, 'currency-not-supported', 'currency', [
      'currency-not-supported',
      'Only EUR is supported, in capitals.'
    ])
  const parsed = parseAmount(amount, supported ? currency : 'EUR')
  if (parsed.outcome === 'ok') return parsed.amount_minor
  const reason = parsed.outcome === 'not-positive' ? 'negative-or-null-amounts' : 'invalid-amount'
  report(place, reason, 'amount', amountFaults[parsed.outcome])
  return 0n
}

const amountFaults = {
  malformed: ['amount-format', 'This has to be a plain decimal such as "100.00" or "14.5".'],
  'too-many-decimals': ['amount-decimals', 'More than 2 decimal places are not allowed.'],
  'too-large': ['amount-too-large', `The most is ${formatAmount(maxAmountMinor, 'EUR')}.`],
  'not-positive': ['amount-not-positive', 'An amount has to be greater than zero.']
} satisfies Record<string, Finding>

const sameAccount: Finding = ['same-account', 'This is the account that pays.']

/**
 * An IBAN outside of SEPA refuses the bulk, as one with wrong check digits does: the bank can't but reject it, and here
 * it is mended before any money moves. That a BIC and an IBAN are of two countries is only told: there are such accounts.
 */
function validateAccount(place: Place, iban: string, bic: string): void {
  const ibanFinding = findInIban(iban)
  const bicFinding = findInBic(bic)
  const blame = place.findings.profile === 'strict' ? refuseCounterparty : warn
  if (ibanFinding !== null) blame(place, 'counterparty_iban', ibanFinding)
  if (bicFinding !== null) blame(place, 'counterparty_bic', bicFinding)
  if (ibanFinding !== null || bicFinding !== null) return
  const [ofBic, ofIban] = [bic.slice(4, 6), iban.slice(0, 2)]
  if (!belongTogether(ofBic, ofIban))
    warn(place, 'counterparty_bic', [
      'bic-iban-mismatch',
      `This bank is in ${ofBic} and the account in ${ofIban}; check both with the payee. The IBAN decides where the money goes.`
    ])
}

function refuseCounterparty(place: Place, field: keyof Transfer, finding: Finding): void {
  report(place, 'invalid-counterparty', field, finding)
}

function findInIban(iban: string): Finding | null {
  const fault = findIbanFault(iban)
  if (fault === 'iban-character') return [fault, describeStrangeCharacter('IBAN', iban)]
  if (fault !== null) return [fault, `This ${ibanFaults[fault]}`]
  const country = iban.slice(0, 2)
  if (isInSepa(country)) return null
  return [
    'iban-outside-sepa',
    `SEPA credit transfers do not reach accounts in ${country}; take this transfer out and pay it in another way.`
  ]
}

function findInBic(bic: string): Finding | null {
  const fault = findBicFault(bic)
  if (fault === null) return null
  return [fault, fault === 'bic-character' ? describeStrangeCharacter('BIC', bic) : bicFaults[fault]]
}

function describeStrangeCharacter(what: string, text: string): string {
  const character = describeCharacter(findStrangeCharacter(text) ?? '')
  return `This contains ${character}, which no ${what} has: it may only look like a letter or digit; type it anew with A-Z and 0-9.`
}

/** What a bank is sent where a text has other characters than SEPA's, so that nothing is lost without being told. */
function validateText(place: Place, field: 'counterparty_name' | 'description'): void {
  const text = place.transfer[field]
  const sent = toSepaText(text)
  if (sent === text) return
  const most = sentLengths[field]
  // Only what grows can be too long: θ becomes th.
  if (sent.length > most)
    report(place, 'invalid-counterparty', field, [
      'too-long',
      `In the characters of SEPA this has ${sent.length}, and it may have at most ${most}: "${sent}". Shorten it.`
    ])
  else
    warn(place, field, [
      'character-set',
      `The bank is sent "${sent}": SEPA payments carry a-z, A-Z, 0-9, space and / - ? : ( ) . , ' + only (EPC217-08).`
    ])
}

function validateClientTransferId(place: Place, firstUse: Map<string, number>): void {
  const id = place.transfer.client_transfer_id
  if (id === undefined) return
  const first = firstUse.get(id)
  if (first === undefined) return void firstUse.set(id, place.index)
  const detail = `Transfer ${first} has the same client_transfer_id; each has to be unique within the bulk.`
  report(place, 'duplicate-client-transfer-id', 'client_transfer_id', ['duplicate', detail])
}

/** The same amount to the same IBAN for the same reason, twice in one list, is more often a mistake than meant. */
export function reportRepetitions(
  { credit_transfers }: BulkRequest,
  repetitions: { index: number; first: number }[],
  findings: Findings
): void {
  for (const { index, first } of repetitions) {
    const detail = `Transfer ${first} pays the same amount to the same IBAN with the same description. ${meansTwice}`
    const pointer = `/credit_transfers/${index}`
    const item = {
      pointer,
      index,
      ...clientTransferId(credit_transfers[index]),
      code: 'duplicate-in-bulk',
      detail
    }
    if (findings.duplicates === 'reject') findings.faults.push({ reason: 'duplicate-transfer', item })
    else findings.warnings.push(item)
  }
}

/** What to do about a duplicate. */
export const meansTwice = 'Take it out, or tell the two apart in their description if both are meant.'
