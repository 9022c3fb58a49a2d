-- Who committed last, so that two processes in lockstep are told apart from one that asks again.
ALTER TABLE progress ADD COLUMN writer uuid;
