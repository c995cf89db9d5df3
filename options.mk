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
##   DATA=demo                  demo, a file, a folder, or a hub id name:config
##   TAGS=suc-original          a tag family, by name or as a YAML file
##   TRAIN_ON=cased             the case variant of train and dev
##   MODEL=tiny                 tiny, a hub id, or a folder with safetensors
##   DEV_FRACTION=0.1           of train, cut off where a corpus has no dev split
##   TRAIN_SPLITS=train         what is trained on
##   SUBSAMPLE=                 share of a split to use, as NAME=VALUE,NAME=VALUE
## Search:
##   ALG=asha                   how trials are chosen and stopped
##   OBJECTIVE=trained-on       what is maximized: trained-on, a variant, mean(…) or min(…) of several
##   SAMPLER=optuna             who proposes the configurations of asha
##   TRIALS=50                  configurations to try
##   SEEDS=1                    runs of each configuration of grid and random: seed, seed + 1 …
##   BASELINE=yes               trial 0 is the default configuration, trained to its last epoch and
##                              scored
##   SPACE=                     what is searched over, by name, as a YAML file, or written out
##                              (default: demo for the tiny model, else suc)
##   WARM_START=                studies whose best are the search's points to evaluate
##   GRACE_EPOCHS=1             no trial is stopped before
##   REDUCTION_FACTOR=3         one in so many passes a rung
##   POPULATION_SIZE=8          members of pbt and pb2; trials are all that are ever started
##   PERTURBATION_INTERVAL=1    epochs after which members of pbt and pb2 are compared and copied
## Training:
##   SEED=42                    of the search, the trainings, the mixes and the cut dev split
##   FIXED=                     hyperparameters that are set; they win over those that the space sets,
##                              as NAME=VALUE,NAME=VALUE
##   EPOCHS=                    passes over the training data; same as --fixed epochs=… (default: that
##                              of the space)
## Resources:
##   WORKERS=                   trials side by side; all cores or GPUs (default: all cores or GPUs)
##   GPUS_PER_TRIAL=1           what one trial takes: a share of a GPU, or so many; 0 trains on the
##                              CPU
## Output:
##   STUDY=                     the folder under results/ (default: derived from the settings)
##   KEEP_CHECKPOINTS=3         how many trials' best models stay on disk
##   TRACKER=tensorboard        who else is told: tensorboard, mlflow or mlflow:URI, wandb:PROJECT
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
##   NOTICE_S=120               seconds from SLURM's warning to the job's end
##   RESTARTS=10                most automatic restarts of an interrupted job
##   REQUEUE=yes                restart by scontrol requeue; if false, by sbatch
