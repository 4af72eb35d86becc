import type { World } from './world.ts'

/** Longest that something may be overdue after everything is well again: the bank's Retry-After, and a job's turn. */
const longestOverdueMs = 120_000
/** Twenty, and then one for each doubling. */
const mostAttempts = 25

/** What has to hold at the end and is not in the ledger alone: the bank's side, incidents, repetitions, bounds. */
export async function checkEnd(world: World): Promise<void> {
  await checkReturns(world)
  await checkIncidents(world)
  await checkCancelled(world)
  await checkRetries(world)
  await checkAttempts(world)
}

/** Every return of the bank is booked once, with its amount. */
async function checkReturns(world: World): Promise<void> {
  const rows = await find<{ reference: string; amount_minor: bigint; lines: bigint; posted_minor: bigint }>(
    world,
    'end-returns',
    `select b.bulk_reference || '-' || r.seq as reference, r.amount_minor, p.lines, p.posted_minor
     from transfer_return r join bulk b using (organization_id, bulk_no) cross join lateral (
       select count(*) as lines, sum(amount_minor)::int8 as posted_minor from posting p
       where (p.organization_id, p.bulk_no, p.seq) = (r.organization_id, r.bulk_no, r.seq)
         and p.kind = 'RETURN' and p.account_id = b.account_id) p
     order by 1`
  )
  for (const { reference, amount_minor, lines, posted_minor } of rows) {
    const returned = world.bank.returns.get(reference) ?? 0n
    if (amount_minor !== returned || lines !== 1n || posted_minor !== returned)
      world.fail(
        `the bank returned ${returned} of ${reference}; ${posted_minor} were booked in ${lines} lines`
      )
  }
  if (rows.length !== world.bank.returns.size)
    world.fail(`the bank made ${world.bank.returns.size} returns, ${rows.length} are booked`)
}

/** Only what really was wrong became an incident, and only once. */
async function checkIncidents(world: World): Promise<void> {
  const { contradicted, contradictionHeard } = world.callbacks
  const rows = await find<{ kind: string; subject: string; opened_at: Date; resolved_at: Date | null }>(
    world,
    'end-incidents',
    `select kind, subject, opened_at, resolved_at from incident order by incident_no`
  )
  const told = new Set<string>()
  for (const { kind, subject, opened_at, resolved_at } of rows) {
    const reference = subject.replace('transfer ', '')
    const isExpected =
      kind === 'contradictory-result'
        ? contradicted.has(reference) && !told.has(reference)
        : kind === 'overdue-work' &&
          resolved_at !== null &&
          opened_at.getTime() < world.healedMs + longestOverdueMs
    if (!isExpected) world.fail(`incident ${kind} of ${subject} at ${opened_at.toISOString()}`)
    if (kind === 'contradictory-result') told.add(reference)
  }
  for (const reference of contradictionHeard)
    if (!told.has(reference)) world.fail(`what the bank said of ${reference} was heard and is no incident`)
}

/** Each transfer is either cancelled or sent. */
async function checkCancelled(world: World): Promise<void> {
  const rows = await find<{ reference: string }>(
    world,
    'end-cancelled',
    `select b.bulk_reference || '-' || o.seq as reference from outcome o join bulk b using (organization_id, bulk_no)
     where o.status = 'CANCELLED' order by 1`
  )
  for (const { reference } of rows)
    if (world.bank.knows(reference)) world.fail(`${reference} is CANCELLED, and the bank has taken it`)
}

/** The child of a bulk is what had failed of it, each once. */
async function checkRetries(world: World): Promise<void> {
  const rows = await find<{ bulk_no: bigint; child_bulk_no: bigint | null }>(
    world,
    'end-retries',
    `select p.bulk_no, c.bulk_no as child_bulk_no
     from bulk c
     left join bulk p on (p.organization_id, p.bulk_no) = (c.organization_id, c.retry_of)
     cross join lateral (
       select count(*) as repeated from transfer_retry r
       join outcome o using (organization_id, bulk_no, seq)
       join transfer old using (organization_id, bulk_no, seq)
       join transfer new on (new.organization_id, new.bulk_no, new.seq) = (r.organization_id, r.child_bulk_no, r.child_seq)
       where (r.organization_id, r.bulk_no, r.child_bulk_no) = (p.organization_id, p.bulk_no, c.bulk_no)
         and o.status = 'FAILED'
         and (old.amount_minor, old.counterparty_iban, old.description)
             = (new.amount_minor, new.counterparty_iban, new.description)) r
     where c.retry_of is not null and r.repeated <> c.transfer_count`
  )
  for (const { bulk_no, child_bulk_no } of rows)
    world.fail(`bulk ${child_bulk_no ?? '?'} is not what failed of bulk ${bulk_no}`)
}

/** I12: what goes on and on leaves no endless trail. */
async function checkAttempts(world: World): Promise<void> {
  const rows = await find<{ bulk_no: bigint; seq: number; attempts: bigint }>(
    world,
    'end-attempts',
    `select bulk_no, seq, count(*) as attempts from attempt
     group by organization_id, bulk_no, seq having count(*) > ${mostAttempts}`
  )
  for (const { bulk_no, seq, attempts } of rows)
    world.fail(`I12: transfer ${seq} of bulk ${bulk_no} has ${attempts} attempts`)
}

async function find<Row>({ database }: World, name: string, text: string): Promise<Row[]> {
  const { rows } = await database.query({ name, text, values: [] })
  return rows as Row[]
}
