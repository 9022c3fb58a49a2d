-- Groups of units: named among the strata, left out of totals, of which they are parts.
CREATE OR REPLACE VIEW arm_totals AS
  SELECT s.experiment, s.reward_version, s.stratum, s.arm, a.name, a.status,
         sum(s.n) AS n, sum(s.r) / 1e6 AS reward_sum, sum(s.r) / nullif(sum(s.n), 0) / 1e6 AS mean
  FROM arm_states AS s LEFT JOIN arms AS a USING (experiment, arm)
  WHERE NOT starts_with(s.stratum, 'group.')
  GROUP BY s.experiment, s.reward_version, s.stratum, s.arm, a.name, a.status;
DO $$
DECLARE
  told record;
BEGIN
  FOR told IN
    SELECT table_name FROM information_schema.columns
    WHERE table_schema = current_schema() AND column_name = 'stratum'
  LOOP
    EXECUTE format('COMMENT ON COLUMN %I.stratum IS %L', told.table_name,
      'policy trains, holdout does not; beside them, of the same trials: policy:NAME:DIGEST and '
      'holdout:NAME:DIGEST measure a guardrail, policy:KIND:signal and holdout:KIND:signal hold '
      'signals, delay.NN counts delays, group.NN.STRATUM is of one of 64 groups of units, for '
      'ever (period 0; not in arm_history and arm_totals). Never sum over strata');
  END LOOP;
END
$$;
COMMENT ON VIEW arm_totals IS 'Trials and rewards of each arm and stratum over all slots and periods, in units of reward; only stratum policy trains';
