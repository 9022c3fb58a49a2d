-- What strata, scopes and counts there are: the comments of the third migration did not name them all.
DO $$
DECLARE
  told record;
BEGIN
  FOR told IN
    SELECT c.table_name, c.column_name, w.meaning
    FROM information_schema.columns AS c
    JOIN (VALUES
      ('', 'stratum',
       'policy trains, holdout does not; beside them, of the same trials: policy:NAME:DIGEST and '
       'holdout:NAME:DIGEST measure a guardrail, delay.NN counts delays. Never sum over strata'),
      ('', 'scope', 'Which process: learn, join.N, observe.N or source.NAME'),
      ('counts', 'experiment', 'Name of the experiment, or source:NAME'),
      ('counts', 'name',
       'observations, repeat, holdout, pinned, default, late, stale or imported; of a source: records, '
       'events, dead, lost, and why one was skipped or refused')
    ) AS w (of_table, column_name, meaning)
      ON w.column_name = c.column_name AND w.of_table IN ('', c.table_name)
    WHERE c.table_schema = current_schema()
  LOOP
    EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', told.table_name, told.column_name, told.meaning);
  END LOOP;
END
$$;
COMMENT ON VIEW arm_totals IS 'Trials and rewards of each arm and stratum over all slots and periods, in units of reward; only stratum policy trains';
