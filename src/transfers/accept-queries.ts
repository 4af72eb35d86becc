import { statement } from '../database/statement.ts'

/**
 * Accepts a bulk whole or not at all, in one statement and so in one transaction and one round trip: reserves the
 * total if it is available, within the account's limits and not held, and the request_id is new, then writes the bulk,
 * its transfers and its chunks. No row comes back when the reservation was refused; submit-bulk.ts then says why. Locks
 * the account's row, until its own commit. Two of the same request_id at once: the second waits, on the account or on
 * the unique index, and is then refused: 0 rows if the funds ran out, else 23505.
 *
 * The transfers travel as one text a column (transfer-columns.ts): to read 1000 took 1.6 ms that way, 3.9 ms as JSON
 * and 5.4 ms as arrays. A column with more values than the others makes a row without an amount, which is refused.
 * A bulk whose payees are to be confirmed is held from its first moment: its chunks are never due in between.
 * A retry also takes the failed transfers that it is made of; 23505 on transfer_retry_pkey if another has one of them.
 * The event that tells of it is part of it.
 */
export const acceptBulk = statement(
  'accept-bulk',
  {
    organization_id: 'int4',
    request_id: 'uuid',
    iban: 'text',
    bic: 'text',
    currency: 'text',
    total_minor: 'int8',
    transfer_count: 'int4',
    chunk_size: 'int4',
    chunk_totals_minor: 'int8[]',
    most_minor: 'int8',
    on_failure: 'text',
    bulk_reference: 'text',
    content_hash: 'bytea',
    label: 'text?',
    metadata: 'json?',
    amounts_minor: 'text',
    counterparty_names: 'text',
    counterparty_bics: 'text',
    counterparty_ibans: 'text',
    descriptions: 'text',
    client_transfer_ids: 'text?',
    end_to_end_ids: 'text?',
    metadata_texts: 'text?',
    fingerprints: 'bytea',
    warnings: 'json?',
    warnings_total: 'int4',
    payees: 'json?',
    hold_reason: 'text?',
    retry_of: 'int8?',
    retried_seqs: 'int2[]?',
    actor: 'text',
    trace_id: 'text?'
  },
  { bulk_no: 'int8', accepted_at: 'timestamptz' },
  `with payer as (
     update account set reserved_minor = reserved_minor + :total_minor,
       -- Later than today when this began before midnight and waited for one that began behind it.
       spent_on = greatest(spent_on, (now() at time zone 'utc')::date),
       spent_minor = case when spent_on >= (now() at time zone 'utc')::date then spent_minor else 0 end + :total_minor
     where organization_id = :organization_id and iban = :iban and rpad(bic, 11, 'X') = :bic and currency = :currency
       and balance_minor - reserved_minor >= :total_minor
       and closed_at is null
       and (max_transfer_minor is null or :most_minor <= max_transfer_minor)
       and (max_bulk_minor is null or :total_minor <= max_bulk_minor)
       and (max_day_minor is null or :total_minor <= max_day_minor
              - case when spent_on >= (now() at time zone 'utc')::date then spent_minor else 0 end)
       and not exists (select from hold h
                       where h.organization_id = :organization_id and h.released_at is null and h.bulk_no is null
                         and (h.account_id is null or h.account_id = account.account_id))
       and not exists (select from bulk where organization_id = :organization_id and request_id = :request_id)
     returning account_id
   ), accepted as (
     insert into bulk (organization_id, account_id, request_id, bulk_reference, content_hash, currency, transfer_count,
                       total_minor, chunk_count, on_failure, label, metadata, retry_of, trace_id)
     select :organization_id, account_id, :request_id, :bulk_reference, :content_hash, :currency, :transfer_count,
            :total_minor, ceil(:transfer_count::numeric / :chunk_size), :on_failure::on_failure, :label, :metadata::jsonb, :retry_of,
            :trace_id
     from payer
     returning bulk_no, accepted_at, bulk_facts(bulk) as facts
   ), told as (
     insert into event (organization_id, bulk_no, version, type, actor, trace_id, data)
     select :organization_id, bulk_no, 1, 'bulk.accepted', :actor, :trace_id,
            facts || jsonb_build_object('retry_of', (
              select request_id from bulk where (organization_id, bulk_no) = (:organization_id, :retry_of)))
     from accepted
   ), checked as (
     insert into bulk_check (organization_id, bulk_no, accepted_at, warnings_total, warnings, fingerprints)
     select :organization_id, bulk_no, accepted_at, :warnings_total, :warnings, :fingerprints from accepted
   ), verified as (
     insert into payee_verification (organization_id, bulk_no, checked_at, held, results, suggested_names)
     select :organization_id, bulk_no, v.checked_at, v.held, v.results, v.suggested_names
     from accepted,
          json_to_record(:payees) as v (checked_at timestamptz, held bool, results text, suggested_names jsonb)
     where :payees is not null
   ), held as (
     insert into hold (organization_id, bulk_no, cause, held_by, reason)
     select :organization_id, bulk_no, 'payees', 'bulkhead', :hold_reason from accepted
     where :hold_reason is not null
   ), written as (
     insert into transfer (organization_id, bulk_no, seq, amount_minor, counterparty_name, counterparty_bic,
                           counterparty_iban, description, client_transfer_id, end_to_end_id, metadata)
     select :organization_id, bulk_no, generate_series(0, :transfer_count - 1),
            unnest(string_to_array(:amounts_minor, chr(31))::int8[]),
            unnest(string_to_array(:counterparty_names, chr(31))),
            unnest(string_to_array(:counterparty_bics, chr(31))),
            unnest(string_to_array(:counterparty_ibans, chr(31))),
            unnest(string_to_array(:descriptions, chr(31))),
            unnest(string_to_array(:client_transfer_ids, chr(31), chr(30))),
            unnest(string_to_array(:end_to_end_ids, chr(31), chr(30))),
            unnest(string_to_array(:metadata_texts, chr(31), chr(30))::jsonb[])
     from accepted
   ), chunked as (
     insert into chunk (organization_id, bulk_no, chunk_no, due_at, since, seqs, open_minor, exclusive)
     select :organization_id, bulk_no, nr - 1,
            case when :hold_reason is null then accepted_at else '9999-12-31' end, accepted_at,
            array(select generate_series((nr - 1) * :chunk_size, least(nr * :chunk_size, :transfer_count) - 1))::int2[],
            total_minor, :on_failure = 'stop'
     from accepted, unnest(:chunk_totals_minor) with ordinality as c (total_minor, nr)
   ), retried as (
     insert into transfer_retry (organization_id, bulk_no, seq, child_bulk_no, child_seq)
     select :organization_id, :retry_of, r.seq, bulk_no, r.nr - 1
     from accepted, unnest(:retried_seqs) with ordinality as r (seq, nr)
   )
   select bulk_no, accepted_at from accepted`
)
