/** A panel: what it shows, in which unit, and of which queries; `{{label}}` in a legend is the label's value. */
export interface Panel {
  title: string
  unit: string
  queries: [expression: string, legend: string][]
}

const perMinute = (what: string, by: string) => `sum by (${by}) (rate(${what}[$__rate_interval])) * 60`
const quantile = (q: number, what: string, by = 'le') =>
  `histogram_quantile(${q}, sum by (${by}) (rate(${what}_bucket[$__rate_interval])))`
const share = (part: string, whole: string) =>
  `sum(rate(${part}[$__rate_interval])) / sum(rate(${whole}[$__rate_interval]))`

const bankCalls = 'bulkhead_bank_call_duration_seconds'
const requests = 'bulkhead_http_request_duration_seconds'
const statements = 'bulkhead_database_statement_duration_seconds'
const ended = 'bulkhead_transfers_ended_total'

/** The panels of the dashboard, by row. */
export const rows: Record<string, Panel[]> = {
  'Is anything wrong': [
    {
      title: 'Alerts that fire',
      unit: 'none',
      queries: [['count by (alertname) (ALERTS{alertstate="firing"})', '{{alertname}}']]
    },
    {
      title: 'Open incidents',
      unit: 'none',
      queries: [['max by (kind) (bulkhead_open_incidents) > 0', '{{kind}}']]
    },
    {
      title: 'Processes',
      unit: 'none',
      queries: [['sum by (role, version) (bulkhead_info)', '{{role}} {{version}}']]
    }
  ],
  Transfers: [
    {
      title: 'Ended per minute, by status',
      unit: 'none',
      queries: [[perMinute(ended, 'status'), '{{status}}']]
    },
    {
      title: 'Success rate',
      unit: 'percentunit',
      queries: [
        [share(`${ended}{status="EXECUTED"}`, `${ended}{status=~"EXECUTED|FAILED"}`), 'transfers'],
        [
          share(
            'bulkhead_bulk_duration_seconds_count{status="COMPLETED"}',
            'bulkhead_bulk_duration_seconds_count'
          ),
          'bulks'
        ]
      ]
    },
    {
      title: 'Failed per minute, by reason',
      unit: 'none',
      queries: [[perMinute('bulkhead_transfers_failed_total', 'reason_code'), '{{reason_code}}']]
    },
    {
      title: 'From submission to end of a bulk',
      unit: 's',
      queries: [
        [quantile(0.5, 'bulkhead_bulk_duration_seconds'), 'median'],
        [quantile(0.95, 'bulkhead_bulk_duration_seconds'), '95 %']
      ]
    },
    {
      title: 'Submissions per minute, by result',
      unit: 'none',
      queries: [[perMinute('bulkhead_bulk_requests_total', 'result'), '{{result}}']]
    },
    {
      title: 'Failed in 15 minutes, by organization',
      unit: 'none',
      queries: [
        [
          'max by (organization) (bulkhead_organization_ended_transfers{status="FAILED"})',
          'organization {{organization}}'
        ]
      ]
    }
  ],
  Queue: [
    {
      title: 'Open transfers',
      unit: 'none',
      queries: [
        ['max by (status) (bulkhead_open_transfers)', '{{status}}'],
        ['max(bulkhead_open_bulks)', 'bulks']
      ]
    },
    {
      title: 'Oldest, by status',
      unit: 's',
      queries: [['max by (status) (bulkhead_open_transfers_oldest_seconds)', '{{status}}']]
    },
    {
      title: 'Stuck',
      unit: 'none',
      queries: [
        ['max(bulkhead_work_overdue_seconds)', 'seconds that work is overdue'],
        ['max(bulkhead_expired_leases)', 'leases that nobody took over'],
        ['sum(rate(bulkhead_claims_lost_total[$__rate_interval]))', 'claims lost a second']
      ]
    },
    {
      title: 'Open transfers, by organization',
      unit: 'none',
      queries: [['max by (organization) (bulkhead_organization_open_transfers)', '{{organization}}']]
    },
    {
      title: 'Told by the bank, not settled yet',
      unit: 'none',
      queries: [
        ['max(bulkhead_notices_waiting)', 'notices'],
        ['max(bulkhead_notices_oldest_seconds)', 'seconds that the oldest waits']
      ]
    },
    {
      title: 'Housekeeping overdue',
      unit: 's',
      queries: [
        ['max by (task) (bulkhead_job_overdue_seconds)', '{{task}}'],
        ['max(bulkhead_unsealed_events_oldest_seconds)', 'unsealed events'],
        ['max(bulkhead_webhook_delivery_overdue_seconds)', 'webhooks'],
        [
          'time() - max by (task) (bulkhead_job_last_success_timestamp_seconds)',
          '{{task}}: since it went well'
        ]
      ]
    },
    {
      title: 'Webhooks',
      unit: 'none',
      queries: [
        [
          'sum by (outcome) (rate(bulkhead_webhook_attempts_total[$__rate_interval]))',
          '{{outcome}} a second'
        ],
        ['max(bulkhead_webhook_deliveries_pending)', 'to be delivered'],
        ['max(bulkhead_webhook_endpoints_disabled)', 'endpoints disabled']
      ]
    }
  ],
  Money: [
    {
      title: 'Balance, reserve, open',
      unit: 'none',
      queries: [
        ['max by (currency) (bulkhead_accounts_balance)', 'balance {{currency}}'],
        ['max by (currency) (bulkhead_accounts_reserved)', 'reserved {{currency}}'],
        ['max by (currency) (bulkhead_open_amount)', 'open transfers {{currency}}']
      ]
    },
    {
      title: 'Accounts whose reserve is wrong',
      unit: 'none',
      queries: [['max(bulkhead_reserve_mismatched_accounts)', 'accounts']]
    },
    {
      title: 'Accepted in 15 minutes, by organization',
      unit: 'none',
      queries: [
        [
          'max by (organization, currency) (bulkhead_organization_accepted_amount)',
          '{{organization}} {{currency}}'
        ],
        ['max by (organization) (bulkhead_organization_accepted_bulks)', '{{organization}}: bulks']
      ]
    },
    {
      title: 'Organizations',
      unit: 'none',
      queries: [
        ['max(bulkhead_organizations)', 'all'],
        ['max by (days) (bulkhead_organizations_active)', 'with a bulk in {{days}} days']
      ]
    }
  ],
  Bank: [
    {
      title: 'Calls per second, by outcome',
      unit: 'none',
      queries: [
        [
          `sum by (operation, outcome) (rate(${bankCalls}_count[$__rate_interval]))`,
          '{{operation}} {{outcome}}'
        ]
      ]
    },
    {
      title: 'Latency',
      unit: 's',
      queries: [
        [quantile(0.5, bankCalls, 'le, operation'), '{{operation}} median'],
        [quantile(0.99, bankCalls, 'le, operation'), '{{operation}} 99 %']
      ]
    },
    {
      title: 'Errors per second, by cause',
      unit: 'none',
      queries: [['sum by (cause) (rate(bulkhead_bank_errors_total[$__rate_interval]))', '{{cause}}']]
    },
    {
      title: 'Left alone',
      unit: 'none',
      queries: [
        ['max by (instance) (bulkhead_bank_breaker_open)', '{{instance}}'],
        ['sum(increase(bulkhead_bank_breaker_openings_total[$__rate_interval]))', 'began']
      ]
    },
    {
      title: 'Calls at one time',
      unit: 'none',
      queries: [['sum by (state) (bulkhead_bank_calls)', '{{state}}']]
    }
  ],
  Processes: [
    {
      title: 'Requests per second, by status',
      unit: 'none',
      queries: [[`sum by (status) (rate(${requests}_count[$__rate_interval]))`, '{{status}}']]
    },
    {
      title: 'Latency of requests, 95 %',
      unit: 's',
      queries: [[quantile(0.95, requests, 'le, route'), '{{route}}']]
    },
    {
      title: 'Statements per second, by result',
      unit: 'none',
      queries: [[`sum by (result) (rate(${statements}_count[$__rate_interval]))`, '{{result}}']]
    },
    {
      title: 'Latency of statements, 95 %',
      unit: 's',
      queries: [[quantile(0.95, statements, 'le, instance'), '{{instance}}']]
    },
    {
      title: 'Connections to the database',
      unit: 'none',
      queries: [
        ['sum by (instance, state) (bulkhead_database_connections)', '{{instance}} {{state}}'],
        ['max by (instance) (bulkhead_database_waiting)', '{{instance}} waiting'],
        ['min by (instance) (bulkhead_database_up)', '{{instance}} up']
      ]
    },
    {
      title: 'Event loop lag, 99 %',
      unit: 's',
      queries: [['nodejs_eventloop_lag_p99_seconds', '{{instance}}']]
    },
    {
      title: 'Memory',
      unit: 'bytes',
      queries: [['process_resident_memory_bytes', '{{instance}}']]
    },
    {
      title: 'Processor',
      unit: 'percentunit',
      queries: [['rate(process_cpu_seconds_total[$__rate_interval])', '{{instance}}']]
    },
    {
      title: 'Failures that are tried again',
      unit: 'none',
      queries: [
        [perMinute('bulkhead_work_failures_total', 'part'), '{{part}} a minute'],
        [perMinute('bulkhead_broker_announce_failures_total', 'instance'), 'hints a minute, {{instance}}']
      ]
    }
  ]
}
