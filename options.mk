# Generated from the settings models by `python -m hpo.cli.make_options`; do not edit.
STUDY_VARIABLES := \
	DATA \
	TAGS \
	TRAIN_ON \
	MODEL \
	DEV_FRACTION \
	TRAIN_SPLITS \
	SUBSAMPLE \
	ALG \
	OBJECTIVE \
	SAMPLER \
	TRIALS \
	SEEDS \
	BASELINE \
	SPACE \
	WARM_START \
	GRACE_EPOCHS \
	REDUCTION_FACTOR \
	POPULATION_SIZE \
	PERTURBATION_INTERVAL \
	SEED \
	FIXED \
	EPOCHS \
	WORKERS \
	GPUS_PER_TRIAL \
	STUDY \
	KEEP_CHECKPOINTS \
	TRACKER
STUDY_FLAGS = \
	$(call flag,DATA,data) \
	$(call flag,TAGS,tags) \
	$(call flag,TRAIN_ON,train-on) \
	$(call flag,MODEL,model) \
	$(call flag,DEV_FRACTION,dev-fraction) \
	$(call flag,TRAIN_SPLITS,train-splits) \
	$(call flag,SUBSAMPLE,subsample) \
	$(call flag,ALG,alg) \
	$(call flag,OBJECTIVE,objective) \
	$(call flag,SAMPLER,sampler) \
	$(call flag,TRIALS,trials) \
	$(call flag,SEEDS,seeds) \
	$(call flag,BASELINE,baseline) \
	$(call flag,SPACE,space) \
	$(call flag,WARM_START,warm-start) \
	$(call flag,GRACE_EPOCHS,grace-epochs) \
	$(call flag,REDUCTION_FACTOR,reduction-factor) \
	$(call flag,POPULATION_SIZE,population-size) \
	$(call flag,PERTURBATION_INTERVAL,perturbation-interval) \
	$(call flag,SEED,seed) \
	$(call flag,FIXED,fixed) \
	$(call flag,EPOCHS,epochs) \
	$(call flag,WORKERS,workers) \
	$(call flag,GPUS_PER_TRIAL,gpus-per-trial) \
	$(call flag,STUDY,study) \
	$(call flag,KEEP_CHECKPOINTS,keep-checkpoints) \
	$(call flag,TRACKER,tracker)
JOB_VARIABLES := \
	NODES \
	GPUS \
	CPUS \
	TIME \
	PARTITION \
	ACCOUNT \
	QOS \
	CONSTRAINT \
	MEMORY \
	SCRATCH \
	NOTICE_S \
	RESTARTS \
	REQUEUE
JOB_FLAGS = \
	$(call flag,NODES,nodes) \
	$(call flag,GPUS,gpus) \
	$(call flag,CPUS,cpus) \
	$(call flag,TIME,time) \
	$(call flag,PARTITION,partition) \
	$(call flag,ACCOUNT,account) \
	$(call flag,QOS,qos) \
	$(call flag,CONSTRAINT,constraint) \
	$(call flag,MEMORY,memory) \
	$(call flag,SCRATCH,scratch) \
	$(call flag,NOTICE_S,notice-s) \
	$(call flag,RESTARTS,restarts) \
	$(call flag,REQUEUE,requeue)
## Variables of make hpo and make slurm, with their defaults; lists are separated by commas
## Data and model:
##   DATA=demo                  corpus: demo, a file, a folder, or a hub id name:config
##   TAGS=suc-original          tag family, by name or as a YAML file
##   TRAIN_ON=cased             case variant to train on: cased, uncased, uncased-cased-mix,
##                              uncased-cased-both, ne-lower, ne-lower-cased-mix, ne-lower-cased-both
##   MODEL=tiny                 model to fine-tune: tiny (trained from scratch), a hub id, or a folder
##                              with safetensors
##   DEV_FRACTION=0.1           fraction of train that becomes dev if the corpus has no dev split
##   TRAIN_SPLITS=train         splits to train on
##   SUBSAMPLE=                 fraction of a split to use, such as train=0.2; as
##                              SPLIT=FRACTION,SPLIT=FRACTION
## Search:
##   ALG=asha                   search algorithm: asha, hyperband, bohb, random, grid, pbt, pb2
##   OBJECTIVE=trained-on       what the search maximizes: trained-on, a case variant, or mean(…) or
##                              min(…) of several
##   SAMPLER=optuna             library whose TPE proposes configurations for asha: optuna, hyperopt
##   TRIALS=50                  number of configurations, with the default configuration and other
##                              points to evaluate; with --seeds each is trained several times; for
##                              pbt and pb2 the maximum number of trials, with replacements of failed
##                              ones
##   SEEDS=1                    training runs per configuration of grid and random, with seeds SEED,
##                              SEED + 1, …; with 1, each trial has a seed derived from SEED and its
##                              number
##   BASELINE=yes               train the default configuration to its last epoch as trial 0
##   SPACE=                     search space, by name or as a YAML file (default: demo for the tiny
##                              model, else suc)
##   WARM_START=                earlier studies whose best configurations are tried first
##   GRACE_EPOCHS=1             epochs before a trial can be stopped
##   REDUCTION_FACTOR=3         one in this many trials continues at each rung
##   POPULATION_SIZE=8          population size of pbt and pb2, at most the number of trials
##   PERTURBATION_INTERVAL=1    epochs between perturbations in pbt and pb2
## Training:
##   SEED=42                    random seed of the search, the training runs, the mixed case variants
##                              and the dev split
##   FIXED=                     hyperparameters that are not searched; they override `fixed` of the
##                              search space; as NAME=VALUE,NAME=VALUE
##   EPOCHS=                    passes over the training data; same as --fixed epochs=… (default: that
##                              of the space)
## Resources:
##   WORKERS=                   number of trials that run in parallel (default: all cores or GPUs)
##   GPUS_PER_TRIAL=1           GPUs per trial; a fraction below 1 shares a GPU, 0 trains on the CPU
## Output:
##   STUDY=                     folder under results/ (default: derived from the settings)
##   KEEP_CHECKPOINTS=3         number of best models to keep on disk
##   TRACKER=tensorboard        experiment trackers: tensorboard, mlflow or mlflow:URI, wandb or
##                              wandb:PROJECT; none for no tracker
##
## Variables of make slurm
## With --backend slurm:
##   NODES=1                    number of nodes; a Ray node starts on each
##   GPUS=0                     GPUs on each node
##   CPUS=                      cores on each node; if unset, whole nodes
##   TIME=                      time limit as minutes, h:mm:ss or days-hh:mm:ss; if unset, the
##                              partition's default
##   PARTITION=                 partition; if unset, the site's default
##   ACCOUNT=                   account that is charged
##   QOS=                       quality of service
##   CONSTRAINT=                features that the nodes must have
##   MEMORY=                    memory of each node, such as 64G; 0 requests all of it
##   SCRATCH=/tmp               directory on each node's own disk, for Ray's files
##   NOTICE_S=120               seconds before the end at which SLURM warns the job
##   RESTARTS=10                maximum number of automatic restarts of an interrupted job
##   REQUEUE=yes                restart by scontrol requeue; if no, by sbatch
