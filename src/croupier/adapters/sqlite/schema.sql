CREATE TABLE log_events (offset INTEGER PRIMARY KEY AUTOINCREMENT, stamp INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE log_funnels (offset INTEGER PRIMARY KEY AUTOINCREMENT, stamp INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE log_observations (offset INTEGER PRIMARY KEY AUTOINCREMENT, stamp INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE log_arms (offset INTEGER PRIMARY KEY AUTOINCREMENT, stamp INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE INDEX log_events_stamp ON log_events (stamp);
CREATE INDEX log_funnels_stamp ON log_funnels (stamp);
CREATE INDEX log_observations_stamp ON log_observations (stamp);
CREATE INDEX log_arms_stamp ON log_arms (stamp);
CREATE TABLE positions (partition INTEGER PRIMARY KEY, position INTEGER NOT NULL);
CREATE TABLE progress (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE sums (
  experiment TEXT NOT NULL, arm INTEGER NOT NULL, slot INTEGER NOT NULL, reward_version INTEGER NOT NULL,
  stratum TEXT NOT NULL, period INTEGER NOT NULL, sums TEXT NOT NULL,
  PRIMARY KEY (experiment, arm, slot, reward_version, stratum, period)
) WITHOUT ROWID;
CREATE TABLE counts (
  experiment TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (experiment, name)
) WITHOUT ROWID;
CREATE TABLE open (experiment TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE late (
  identity BLOB PRIMARY KEY, experiment TEXT NOT NULL, stamp INTEGER NOT NULL, payload BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE snapshots (
  experiment TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, payload BLOB NOT NULL,
  PRIMARY KEY (experiment, version)
);
