-- Sums are whole millionths and outgrow 64 bits: numeric. Times are milliseconds since 1970, UTC.
CREATE TABLE positions (
  scope text NOT NULL, partition integer NOT NULL, position bigint NOT NULL,
  PRIMARY KEY (scope, partition)
);
CREATE TABLE progress (scope text PRIMARY KEY, watermark bigint NOT NULL);
CREATE TABLE open_stories (
  scope text NOT NULL, experiment text NOT NULL, stories bigint NOT NULL,
  PRIMARY KEY (scope, experiment)
);
CREATE TABLE arm_states (
  experiment text NOT NULL, arm integer NOT NULL, slot integer NOT NULL, reward_version integer NOT NULL,
  stratum text NOT NULL, period bigint NOT NULL,
  n numeric NOT NULL, r numeric NOT NULL, r2 numeric NOT NULL, w numeric NOT NULL,
  w2 numeric NOT NULL, wr numeric NOT NULL, w2r numeric NOT NULL, w2r2 numeric NOT NULL,
  PRIMARY KEY (experiment, arm, slot, reward_version, stratum, period)
);
CREATE TABLE commits (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  scope text NOT NULL, at timestamptz NOT NULL DEFAULT now(), watermark bigint NOT NULL
);
CREATE TABLE arm_history (
  commit bigint NOT NULL REFERENCES commits ON DELETE CASCADE,
  experiment text NOT NULL, arm integer NOT NULL, slot integer NOT NULL, reward_version integer NOT NULL,
  stratum text NOT NULL,
  n numeric NOT NULL, r numeric NOT NULL, r2 numeric NOT NULL, w numeric NOT NULL,
  w2 numeric NOT NULL, wr numeric NOT NULL, w2r numeric NOT NULL, w2r2 numeric NOT NULL,
  PRIMARY KEY (commit, experiment, arm, slot, reward_version, stratum)
);
CREATE INDEX arm_history_by_arm ON arm_history (experiment, arm, commit);
CREATE TABLE counts (
  experiment text NOT NULL, name text NOT NULL, value bigint NOT NULL,
  PRIMARY KEY (experiment, name)
);
CREATE TABLE late (
  identity bytea PRIMARY KEY, experiment text NOT NULL, stamp bigint NOT NULL, payload bytea NOT NULL
);
CREATE INDEX late_by_stamp ON late (stamp);
-- One partition a week of data time, made when it is first needed, dropped whole.
CREATE TABLE ids (id bytea NOT NULL, at bigint NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE snapshots (
  experiment text NOT NULL, version bigint NOT NULL, at bigint NOT NULL, payload bytea NOT NULL,
  PRIMARY KEY (experiment, version)
);
