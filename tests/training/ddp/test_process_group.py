"""A process outside a process group is the main process of a group of one."""

from hpo.training.ddp.process_group import ProcessGroup


def test_current_without_initialized_group_is_rank_0_of_1():
    assert ProcessGroup.current() == ProcessGroup()
