-- For whoever looks in with SQL: arms by name, totals, and what each table and column is (\d+ shows it).
CREATE TABLE arms (
  experiment text NOT NULL, arm integer NOT NULL, name text NOT NULL, status text NOT NULL,
  PRIMARY KEY (experiment, arm)
);
CREATE VIEW arm_totals AS
  SELECT s.experiment, s.reward_version, s.stratum, s.arm, a.name, a.status,
         sum(s.n) AS n, sum(s.r) / 1e6 AS reward_sum, sum(s.r) / nullif(sum(s.n), 0) / 1e6 AS mean
  FROM arm_states AS s LEFT JOIN arms AS a USING (experiment, arm)
  WHERE NOT starts_with(s.stratum, 'group.')
  GROUP BY s.experiment, s.reward_version, s.stratum, s.arm, a.name, a.status;

COMMENT ON TABLE arms IS 'Arms by number: numbers are for ever, arms that were removed stay';
COMMENT ON VIEW arm_totals IS 'Trials and rewards of each arm and stratum over all slots and periods, in units of reward; only stratum policy trains';
COMMENT ON TABLE arm_states IS 'What is known of an arm in one period: exact sums in whole millionths, w = 1/propensity. Never write to it';
COMMENT ON TABLE arm_history IS 'An arm after a commit that changed it, summed over all periods; goes with its commit';
COMMENT ON TABLE commits IS 'One step of learning that changed arms. May be deleted by age, arm_history with it';
COMMENT ON TABLE positions IS 'What each process reads next, by partition of the topic that it reads';
COMMENT ON TABLE progress IS 'How far log time has come for each process';
COMMENT ON TABLE open_stories IS 'Decisions and sessions whose time is not over yet';
COMMENT ON TABLE counts IS 'How many observations, and decisions that did not train, by why';
COMMENT ON TABLE ids IS 'Observations that are in the sums, so that none is added twice; a partition a week';
COMMENT ON TABLE late IS 'Records that came after their story was over, set aside';
COMMENT ON TABLE snapshots IS 'Every published snapshot; the home of version numbers';
COMMENT ON TABLE migrations IS 'Changes of this schema';

DO $$
DECLARE
  told record;
BEGIN
  FOR told IN
    SELECT c.table_name, c.column_name, w.meaning
    FROM information_schema.columns AS c
    JOIN (VALUES
      ('', 'experiment', 'Name of the experiment'),
      ('', 'arm', 'Number of the arm; its name is in arms'),
      ('', 'name', 'Name of the arm'),
      ('', 'status', 'active, paused or removed'),
      ('', 'slot', 'Slot that it was shown in, from 0'),
      ('', 'reward_version', 'Which reward the trials are valued by; the newest counts'),
      ('', 'stratum',
       'policy trains, holdout does not; beside them, of the same trials: policy:NAME:DIGEST and '
       'holdout:NAME:DIGEST measure a guardrail, policy:KIND:signal and holdout:KIND:signal hold '
       'signals, imported are those that were imported, delay.NN counts delays, group.NN.STRATUM is of one '
       'of 64 groups of units, for ever (period 0; not in arm_history and arm_totals). Never sum over strata'),
      ('', 'period', 'Start of the period, ms since 1970 UTC'),
      ('', 'n', 'Trials'),
      ('', 'r', 'Sum of rewards, 1e-6'),
      ('', 'r2', 'Sum of squared rewards, 1e-12'),
      ('', 'w', 'Sum of weights, 1e-6'),
      ('', 'w2', 'Sum of squared weights, 1e-12'),
      ('', 'wr', 'Sum of weight times reward, 1e-12'),
      ('', 'w2r', 'Sum of squared weight times reward, 1e-18'),
      ('', 'w2r2', 'Sum of squared weight times squared reward, 1e-24'),
      ('', 'reward_sum', 'Sum of rewards'),
      ('', 'mean', 'Reward a trial'),
      ('', 'commit', 'Which commit'),
      ('', 'scope', 'Which process: learn, join.N, observe.N or source.NAME'),
      ('', 'partition', 'Partition of its topic'),
      ('', 'position', 'Offset that is read next'),
      ('', 'watermark', 'Log time that it has come to, ms since 1970 UTC'),
      ('', 'writer', 'Name that the process which committed last gave itself'),
      ('', 'stories', 'How many are open'),
      ('', 'identity', 'Digest of the record: set aside once however often it is sent'),
      ('', 'stamp', 'When the log took it in, ms since 1970 UTC'),
      ('', 'payload', 'MessagePack; croupier export and croupier log decode it'),
      ('', 'version', 'Version of the snapshot'),
      ('migrations', 'version', 'Number of the migration'),
      ('migrations', 'at', 'When it was applied'),
      ('commits', 'id', 'In order of commit'),
      ('commits', 'at', 'When it was committed'),
      ('ids', 'id', 'Id of the observation'),
      ('ids', 'at', 'Its time, ms since 1970 UTC'),
      ('snapshots', 'at', 'When it was published, ms since 1970 UTC'),
      ('counts', 'experiment', 'Name of the experiment, or source:NAME'),
      ('counts', 'name',
       'observations, repeat, holdout, pinned, default, late, stale or imported; of a source: records, '
       'events, dead, lost, and why one was skipped or refused'),
      ('counts', 'value', 'How many')
    ) AS w (of_table, column_name, meaning)
      ON w.column_name = c.column_name AND w.of_table IN ('', c.table_name)
    WHERE c.table_schema = current_schema()
    ORDER BY w.of_table
  LOOP
    EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', told.table_name, told.column_name, told.meaning);
  END LOOP;
END
$$;
